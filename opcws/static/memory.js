// What this browser keeps, if it may: no more than convenience.

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
    // Then it is for this time.
  }
}
