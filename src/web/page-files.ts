/**
 * The files of the page, read once: code of the page runs in browsers, so its types are taken off when
 * a checkout serves its sources; the package carries it compiled. Addresses follow the folders, so that
 * the imports in the files are right as they stand.
 */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';

import type { HttpAnswer } from './http-server.ts';

/** The builder of the package rewrites these names to those of the compiled files. */
const SCRIPTS: Readonly<Record<string, URL>> = {
  '/page/app.js': new URL('../page/app.ts', import.meta.url),
  '/page/charts.js': new URL('../page/charts.ts', import.meta.url),
  '/page/elements.js': new URL('../page/elements.ts', import.meta.url),
  '/page/panels.js': new URL('../page/panels.ts', import.meta.url),
  '/page/nodes-panel.js': new URL('../page/nodes-panel.ts', import.meta.url),
  '/view/format.js': new URL('../view/format.ts', import.meta.url),
  '/view/store-text.js': new URL('../view/store-text.ts', import.meta.url),
  '/view/wire-name.js': new URL('../view/wire-name.ts', import.meta.url),
};

const STYLES: Readonly<Record<string, URL>> = {
  '/page/style.css': new URL('../page/style.css', import.meta.url),
};

const PAGE = new URL('../page/index.html', import.meta.url);
const ICON = new URL('../page/icon.svg', import.meta.url);
/** Stands in the page where the first model goes. */
const MODEL_MARK = '{ "model": null }';

/** Every file but the page itself, by address. */
export function pageFiles(): ReadonlyMap<string, HttpAnswer> {
  return new Map<string, HttpAnswer>([
    ...Object.entries(SCRIPTS).map(([path, file]) => [path, script(file)] as const),
    ...Object.entries(STYLES).map(
      ([path, file]) => [path, asset('text/css; charset=utf-8', readText(file))] as const,
    ),
    ['/page/icon.svg', asset('image/svg+xml', readText(ICON))],
  ]);
}

/** The page with what it shows first already in it. */
export function pageHtml(model: string | null): HttpAnswer {
  const html = readText(PAGE);
  const safe = (model ?? MODEL_MARK).replaceAll('<', '\\u003c');
  return asset(
    'text/html; charset=utf-8',
    html.replace(MODEL_MARK, () => safe),
  );
}

function script(file: URL): HttpAnswer {
  const source = readText(file);
  const code = file.pathname.endsWith('.ts') ? withoutTypes(source) : source;
  return asset('text/javascript; charset=utf-8', code);
}

function withoutTypes(source: string): string {
  return stripTypeScriptTypes(source).replace(/(from '\.{1,2}\/[^']+)\.ts'/g, "$1.js'");
}

function readText(file: URL): string {
  return readFileSync(file, 'utf8');
}

function asset(type: string, body: string): HttpAnswer {
  return { status: 200, type, body };
}
