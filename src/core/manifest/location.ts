/** Where a sample's bytes are: an absolute path, or a URL that names its store. */

const URL_START = /^[a-z][a-z0-9+.-]*:\/\/[^/]/;

const SLASH = 0x2f;

/** True for what may stand in the location column. */
export function isLocation(text: string): boolean {
  return isAbsoluteOrUrl(text) && !/[\t\n]/.test(text) && text.isWellFormed();
}

export function isAbsoluteOrUrl(text: string): boolean {
  return text.startsWith('/') || isUrl(text);
}

export function isUrl(text: string): boolean {
  // Nearly all are paths, and every batch asks of each.
  if (text.charCodeAt(0) === SLASH) return false;
  return URL_START.test(text) || text.startsWith('file:///');
}

/** `s3` of `s3://bucket/key`; null for a path. */
export function schemeOf(text: string): string | null {
  return isUrl(text) ? text.slice(0, text.indexOf(':')) : null;
}
