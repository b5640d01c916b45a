/** Breaks text between words so that no line passes `columns` (unless a single word does). */
export function wrapText(
  text: string,
  columns: number,
  firstIndent: number,
  nextIndent: number,
): string[] {
  const lines: string[] = [];
  let line = ' '.repeat(firstIndent);
  let isEmpty = true;
  // Runs of spaces stay: they align columns.
  for (const [, gap = '', word = ''] of text.matchAll(/(\s*)(\S+)/g)) {
    const addition = isEmpty ? word : gap + word;
    if (!isEmpty && line.length + addition.length > columns) {
      lines.push(line);
      line = ' '.repeat(nextIndent) + word;
    } else {
      line += addition;
    }
    isEmpty = false;
  }
  lines.push(line);
  return lines;
}
