/** Bytes to clean text, and what kind of text it is. */
import { extname } from 'node:path';

const decoder = new TextDecoder('utf-8', { ignoreBOM: false });

/** NFC, line feeds only, no trailing blanks, no control characters: what is equal should look equal. */
export function normaliseText(bytes: Uint8Array): string {
  return decoder
    .decode(bytes)
    .normalize('NFC')
    .replace(/\r\n?/g, '\n')
    .replace(CONTROL, '')
    .replace(/[ \t]+$/gm, '')
    .trim();
}

/** Control characters but for line feed and tab. */
const CONTROL = /[^\P{Cc}\n\t]/gu;

const KINDS: Readonly<Record<string, string>> = {
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.mdx': 'markdown',
  '.js': 'javascript',
  '.cjs': 'javascript',
  '.mjs': 'javascript',
  '.jsx': 'javascript',
  '.ts': 'typescript',
  '.cts': 'typescript',
  '.mts': 'typescript',
  '.tsx': 'typescript',
  '.json': 'json',
  '.html': 'html',
  '.css': 'css',
  '.yml': 'yaml',
  '.yaml': 'yaml',
  '.proto': 'protobuf',
  '.sh': 'shell',
};

export function kindOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (/^(licen[cs]e|copying|notice)\b/.test(name)) return 'licence';
  if (/\.d\.[cm]?ts$/.test(name)) return 'type declarations';
  return KINDS[extname(name)] ?? 'text';
}

/** The path below the innermost `node_modules`: what people know the file by. */
export function packagePath(location: string): string {
  const marker = '/node_modules/';
  const index = location.lastIndexOf(marker);
  return index === -1 ? location : location.slice(index + marker.length);
}
