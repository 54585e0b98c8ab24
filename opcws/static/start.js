// Starts the page when its texts are loaded.

import { loadTexts } from "./texts.js";

loadTexts().then(() => import("./page.js"));
