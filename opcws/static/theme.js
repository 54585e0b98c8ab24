"use strict";
// Light or dark as chosen here before, ahead of the first paint.  Without a choice the device's.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch (error) {
  // No storage, no choice.
}
