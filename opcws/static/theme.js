"use strict";
// Applies the chosen light or dark before the first paint.  Without a choice the device's is used.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch (error) {
  // Without storage there is no choice.
}
