/** The Hub and the token for it, as Hugging Face's own tools find them. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import type { Variables } from '../../ports/variables.ts';
import { checkMayCarrySecrets, endpointUrl } from '../http/endpoint.ts';
import { originOf } from '../http/origin.ts';

const HUB = 'https://huggingface.co';
/** Where the Hub keeps large files: it redirects there, with a signature that holds for some minutes. */
const HUB_HOSTS = /(?:^|\.)(?:hf\.co|huggingface\.co)$/;

export interface HfSettings {
  readonly endpoint: URL;
  /** null: only what is public. */
  readonly token: string | null;
}

export async function hfSettings(variables: Variables): Promise<HfSettings> {
  const endpoint = endpointUrl(given(variables['HF_ENDPOINT']) ?? HUB, 'HF_ENDPOINT');
  const token = await hfToken(variables);
  if (token !== null) checkMayCarrySecrets(originOf(endpoint), 'HF_ENDPOINT');
  return { endpoint, token };
}

/** Whether the Hub itself keeps files there. Another endpoint has no such hosts. */
export function isHubStorage(endpoint: URL, to: URL): boolean {
  return endpoint.origin === HUB && to.protocol === 'https:' && HUB_HOSTS.test(to.hostname);
}

async function hfToken(variables: Variables): Promise<string | null> {
  const token = given(variables['HF_TOKEN']) ?? given(variables['HUGGING_FACE_HUB_TOKEN']);
  if (token !== null) return token;
  const home = given(variables['HOME']) ?? homedir();
  const caches = given(variables['XDG_CACHE_HOME']) ?? join(home, '.cache');
  const folder = given(variables['HF_HOME']) ?? join(caches, 'huggingface');
  try {
    const text = await readFile(given(variables['HF_TOKEN_PATH']) ?? join(folder, 'token'), 'utf8');
    return given(text);
  } catch {
    // Whoever has not logged in has no such file.
    return null;
  }
}

function given(text: string | undefined): string | null {
  const plain = text?.trim() ?? '';
  return plain === '' ? null : plain;
}
