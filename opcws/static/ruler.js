// The width of a text, without asking the browser for a layout.

const canvas = document.createElement("canvas").getContext("2d");
const KEPT = 1000; // widths

export class Ruler {
  /** For texts in the present font of *element*. */
  constructor(element) {
    const { fontStyle, fontWeight, fontSize, fontFamily } = getComputedStyle(element);
    this.font = [fontStyle, fontWeight, fontSize, fontFamily].join(" ");
    this.known = new Map();
  }

  /** The width in px. */
  width(text) {
    let width = this.known.get(text);
    if (width === undefined) {
      if (this.known.size > KEPT) this.known.clear();
      canvas.font = this.font;
      width = canvas.measureText(text).width;
      this.known.set(text, width);
    }
    return width;
  }

  /** The number of lines of *room* px for *parts*; a part is broken only if it is wider. */
  lines(parts, room) {
    let lines = 1;
    let used = 0;
    for (const part of parts) {
      const width = this.width(part);
      if (used && used + width > room) {
        lines += 1;
        used = 0;
      }
      lines += Math.max(0, Math.ceil(width / room) - 1);
      used += width;
    }
    return lines;
  }
}
