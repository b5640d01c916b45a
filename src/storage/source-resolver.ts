/**
 * Links of schemes that no place serves, handed to a program that knows them: it is POSTed the link and answers
 * with the canonical manifest of what the link stands for now. The bytes are streamed, and are of no use unless
 * they hash to what the answer says.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';

import { Mx8Error } from '../core/base/errors.ts';
import { isManifestHash } from '../core/base/units.ts';
import type { ResponseHead } from '../core/transfer/response-head.ts';
import type { Verdict } from './http/authority.ts';
import { checkMayCarrySecrets, endpointUrl } from './http/endpoint.ts';
import { judgeStatus, unusable } from './http/http-errors.ts';
import { originOf } from './http/origin.ts';
import { sendPatiently } from './http/patient.ts';
import { PlainClient, collect, headOf } from './http/plain-request.ts';
import type { PlainAnswer, PlainRequest } from './http/plain-request.ts';
import type { HttpSurroundings } from './http/range-client.ts';

export interface ResolverOptions {
  /** null: such links are refused. */
  readonly url: string | null;
  /** A file with the bearer token that the resolver wants; null: none. */
  readonly tokenFile: string | null;
}

export const RESOLVER_DEFAULTS: ResolverOptions = { url: null, tokenFile: null };

const HASH_HEADER = 'mx8-manifest-hash';
const FLAG = '--source-resolver-url';

export class SourceResolver {
  readonly #url: URL;
  readonly #tokenFile: string | null;
  readonly #surroundings: HttpSurroundings;
  readonly #plain: PlainClient = new PlainClient();

  constructor(url: string, tokenFile: string | null, surroundings: HttpSurroundings) {
    this.#url = endpointUrl(url, FLAG);
    this.#tokenFile = tokenFile;
    this.#surroundings = surroundings;
  }

  close(): void {
    this.#plain.close();
  }

  /** The manifest of `link`, in chunks; rejects at the end when it is not the one that was announced. */
  async *manifestOf(link: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { head, message } = await this.#ask(link, signal);
    const announced = head.headers.get(HASH_HEADER)?.toLowerCase() ?? '';
    if (!isManifestHash(announced)) {
      message.destroy();
      throw unusable(
        link,
        `it has no header ${HASH_HEADER} with the 64 hex digits of the manifest`,
      );
    }
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of message as AsyncIterable<Buffer>) {
        signal?.throwIfAborted();
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      if (error instanceof Mx8Error || signal?.aborted === true) throw error;
      throw this.#broke(link, bytes, error);
    } finally {
      message.destroy();
    }
    const found = hash.digest('hex');
    if (found === announced) return;
    throw unusable(
      link,
      `its ${bytes} bytes hash to ${found}, and the resolver at ${this.#url.origin} announced ${announced}`,
    );
  }

  async #ask(
    link: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly head: ResponseHead; readonly message: IncomingMessage }> {
    let opened: IncomingMessage | null = null;
    /** Whole answers where something is wrong; the manifest itself is left to be read. */
    const send = async (request: PlainRequest): Promise<PlainAnswer> => {
      const message = await this.#plain.open(request, signal);
      if (message.statusCode !== 200) return collect(message);
      opened = message;
      return { head: headOf(message), body: Buffer.alloc(0) };
    };
    const { head } = await sendPatiently({ send }, this.#surroundings, {
      location: link,
      make: () => this.#request(link),
      accepts: ({ head: { status } }) => status === 200,
      judge: ({ head: refused, body }) => this.#judge(link, refused, body),
      signal,
    });
    const message: IncomingMessage | null = opened;
    if (message === null) throw unusable(link, 'it has no body');
    return { head, message };
  }

  async #request(link: string): Promise<PlainRequest> {
    const origin = originOf(this.#url);
    const headers: [string, string][] = [
      ['content-type', 'application/json'],
      ['accept', 'text/tab-separated-values'],
    ];
    if (this.#tokenFile !== null) {
      checkMayCarrySecrets(origin, FLAG);
      headers.push(['authorization', `Bearer ${await tokenIn(this.#tokenFile)}`]);
    }
    const target = this.#url.pathname;
    return { method: 'POST', origin, target, headers, body: Buffer.from(JSON.stringify({ link })) };
  }

  #judge(link: string, head: ResponseHead, body: Buffer): Verdict {
    const said = /^\P{Cc}{1,300}$/u.exec(body.toString('utf8', 0, 300).trim())?.[0] ?? '';
    const verdict = judgeStatus(link, head, said);
    if (verdict.type !== 'error' || verdict.error.code !== 'object_missing') return verdict;
    const why = said === '' ? `status ${head.status}` : said;
    const text = `The resolver at ${this.#url.origin} knows no ${link}: ${why}.`;
    return { type: 'error', error: new Mx8Error('input_missing', text, { location: link }) };
  }

  #broke(link: string, bytes: number, error: unknown): Mx8Error {
    const reason = error instanceof Error ? error.message : String(error);
    return new Mx8Error(
      'object_store_unavailable',
      `The answer of the resolver at ${this.#url.origin} about ${link} broke off after ${bytes} bytes: ${reason}.`,
      { location: link },
      error,
    );
  }
}

async function tokenIn(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw badToken(path, error instanceof Error ? error.message : String(error));
  });
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw badToken(path, 'it must hold one token without spaces');
}

function badToken(path: string, why: string): Mx8Error {
  return new Mx8Error('flag_invalid', `--source-resolver-token-file ${path}: ${why}.`, {
    flag: '--source-resolver-token-file',
  });
}
