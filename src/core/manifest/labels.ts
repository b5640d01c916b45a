/**
 * `labels.tsv` of a packed data set: `schema_version=1`, then `label_id<TAB>label` with the label
 * percent-encoded. Ids run 0, 1, 2, … in the byte order of the labels.
 */
import { lineError, quoted } from './line-error.ts';

const HEADER = 'schema_version=1';

/** The file for `labels`, whose ids are their places in the list. */
export function encodeLabels(labels: readonly string[]): string {
  const lines = labels.map((label, id) => `${id}\t${percentEncoded(label)}\n`);
  return `${HEADER}\n${lines.join('')}`;
}

/** The labels by id. Anything but the form above is `manifest_invalid` and names the line. */
export function decodeLabels(text: string, source: string): string[] {
  if (!text.endsWith('\n')) {
    const line = text.split('\n').length;
    throw lineError(source, line, 'the last line does not end in a line break');
  }
  const [header = '', ...lines] = text.slice(0, -1).split('\n');
  if (header !== HEADER) {
    throw lineError(source, 1, `labels start with "${HEADER}", not ${quoted(header)}`);
  }
  return lines.map((content, id) => {
    const [idText = '', encoded = '', ...rest] = content.split('\t');
    const label = percentDecoded(encoded);
    if (idText !== String(id) || rest.length > 0 || label === null) {
      const what = `expected "${id}", a tab and a percent-encoded label, not ${quoted(content)}`;
      throw lineError(source, id + 2, what);
    }
    return label;
  });
}

/** Unreserved characters of RFC 3986 are kept, every other byte of the UTF-8 becomes `%XX`. */
export function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Null when the text is not what `percentEncoded` gives for a label. */
function percentDecoded(encoded: string): string | null {
  let text: string;
  try {
    text = decodeURIComponent(encoded);
  } catch {
    return null;
  }
  return text !== '' && percentEncoded(text) === encoded ? text : null;
}
