// Which variables are shown, and in which order.  Nothing here knows the page.

const { compare } = new Intl.Collator("en", { numeric: true });

/** A new array of *names* with Pump2 before Pump10. */
export const natural = (names) => Array.from(names).sort(compare);

/** Whether a variable has every word of *text*: one with * or ? is the whole name, any other is
 * somewhere in what is known of the variable. */
export function finder(text) {
  const has = text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    if (!/[*?]/.test(word)) return (one) => one.words.includes(word);
    const escaped = word.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    const whole = new RegExp(
      "^" + escaped.replace(/\*+/g, ".*").replace(/\?/g, ".") + "$", "isu");
    return (one) => whole.test(one.name);
  });
  return (one) => has.every((each) => each(one));
}
