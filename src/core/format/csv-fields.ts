/** The fields of one CSV record. */
import { FormatError } from './format-error.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Texts without their quotes. Throws `FormatError` where a field in quotes goes on after them. */
export function csvFields(record: Uint8Array, delimiter: ',' | '\t'): string[] {
  const text = utf8(record);
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const { value, end } = quoted(text, at);
      fields.push(value);
      at = end;
    } else {
      const next = text.indexOf(delimiter, at);
      const end = next === -1 ? text.length : next;
      fields.push(text.slice(at, end));
      at = end;
    }
    if (at >= text.length) return fields;
    at += 1;
  }

  function quoted(whole: string, start: number): { value: string; end: number } {
    let value = '';
    for (let from = start + 1; ;) {
      const quote = whole.indexOf('"', from);
      if (quote === -1) throw new FormatError('a quote is never closed', start);
      value += whole.slice(from, quote);
      if (whole[quote + 1] !== '"') {
        const end = quote + 1;
        if (end === whole.length || whole[end] === delimiter) return { value, end };
        const what = `field ${fields.length + 1} goes on after its closing quote`;
        throw new FormatError(what, end);
      }
      value += '"';
      from = quote + 2;
    }
  }
}

export function utf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FormatError('it is not UTF-8 text', 0);
  }
}
