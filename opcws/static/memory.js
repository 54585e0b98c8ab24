// What this browser stores, if it may: for convenience only.

export function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    return null;
  }
}

export function remember(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch (error) {
    // Then it is only for this visit.
  }
}
