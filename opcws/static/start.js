// The page begins when its texts are there.

import { loadTexts } from "./texts.js";

loadTexts().then(() => import("./page.js"));
