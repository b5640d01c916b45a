/** Tokens for Google's storage: fetched once for an hour, again before they end, and when the store refuses one. */
import { lookup } from 'node:dns';

import { Mx8Error } from '../../core/base/errors.ts';
import type { Variables } from '../../ports/variables.ts';
import { checkMayCarrySecrets } from '../http/endpoint.ts';
import { originOf } from '../http/origin.ts';
import type { Origin } from '../http/origin.ts';
import { sendPatiently } from '../http/patient.ts';
import { PlainClient } from '../http/plain-request.ts';
import type { PlainAnswer, PlainRequest } from '../http/plain-request.ts';
import type { HttpSurroundings } from '../http/range-client.ts';
import { judgeStatus } from '../http/http-errors.ts';
import { tokenRequest } from './gcs-credentials.ts';
import type { Access } from './gcs-credentials.ts';

/** What a request was made with; given back with the answer to it. */
export interface AccessToken {
  readonly text: string;
  readonly renewMs: number;
}

/** New ones are fetched so long before the old ones end. */
const RENEW_BEFORE_MS = 300_000;
/** Nobody asks more often than this, however loudly a store refuses. */
const RENEW_INTERVAL_MS_MIN = 1_000;
/** A machine that has tokens answers at once; elsewhere nobody does. */
const MACHINE_RETRY = { baseMs: 100, maxMs: 1_000, budgetMs: 5_000 };
const MACHINE = 'metadata.google.internal';

export class GcsTokens {
  readonly #machineCredentials: boolean;
  readonly #surroundings: HttpSurroundings;
  readonly #variables: Variables;
  readonly #access: Access;
  readonly #plain: PlainClient = new PlainClient();
  #current: AccessToken | null = null;
  #fetching: Promise<AccessToken> | null = null;
  #fetchedAtMs: number = -Infinity;

  constructor(
    machineCredentials: boolean,
    surroundings: HttpSurroundings,
    variables: Variables,
    access: Access,
  ) {
    this.#access = access;
    this.#machineCredentials = machineCredentials;
    this.#surroundings = surroundings;
    this.#variables = variables;
  }

  async get(): Promise<AccessToken> {
    const current = this.#current;
    if (current !== null && this.#nowMs() < current.renewMs) return current;
    return this.#fetch();
  }

  /** A store refused `used`. Answers whether there is another now, or that it is too soon to ask again. */
  async replace(used: object): Promise<'other' | 'same' | 'too soon'> {
    const before = this.#current;
    if (before === null || before !== used) return 'other';
    if (this.#nowMs() - this.#fetchedAtMs < RENEW_INTERVAL_MS_MIN) return 'too soon';
    const now = await this.#fetch();
    return now.text === before.text ? 'same' : 'other';
  }

  close(): void {
    this.#plain.close();
  }

  #fetch(): Promise<AccessToken> {
    this.#fetching ??= this.#ask().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #ask(): Promise<AccessToken> {
    const asked = await tokenRequest(
      this.#variables,
      this.#surroundings.clock.unixMs(),
      this.#access,
    );
    if (asked !== null) {
      const { url, form, who } = asked;
      const origin = originOf(url);
      checkMayCarrySecrets(origin, 'The token_uri of the credentials');
      return this.#send(who, this.#plain, {
        method: 'POST',
        origin,
        target: `${url.pathname}${url.search}`,
        headers: [['content-type', 'application/x-www-form-urlencoded']],
        body: Buffer.from(new URLSearchParams(form).toString()),
      });
    }
    if (this.#machineCredentials) return this.#askMachine();
    throw new Mx8Error(
      'object_credentials_missing',
      'No credentials for Google were found: GOOGLE_APPLICATION_CREDENTIALS is not set and nobody has logged in with gcloud auth application-default login. Allow the machine’s own with --gs-machine-credentials, or read public buckets with --gs-anonymous.',
    );
  }

  /** The one request that may go to a metadata service, for somebody who said so. */
  async #askMachine(): Promise<AccessToken> {
    const client = new PlainClient({ lookup });
    const host = this.#variables['GCE_METADATA_HOST'] ?? MACHINE;
    const hurried = { ...this.#surroundings, retry: MACHINE_RETRY };
    try {
      return await this.#send(
        'the machine',
        client,
        {
          method: 'GET',
          origin: machineOrigin(host),
          target: '/computeMetadata/v1/instance/service-accounts/default/token',
          headers: [['metadata-flavor', 'Google']],
        },
        hurried,
      );
    } finally {
      client.close();
    }
  }

  async #send(
    who: string,
    client: PlainClient,
    request: PlainRequest,
    surroundings: HttpSurroundings = this.#surroundings,
  ): Promise<AccessToken> {
    const { text } = request.origin;
    const sentAtMs = this.#nowMs();
    const answer = await sendPatiently(client, surroundings, {
      location: `${text}${request.target}`,
      make: () => Promise.resolve(request),
      accepts: ({ head }) => head.status === 200,
      judge: ({ head, body }) => {
        const verdict = judgeStatus(text, head, '');
        if (verdict.type !== 'error') return verdict;
        return { type: 'error', error: noToken(who, text, `${head.status} ${refusalOf(body)}`) };
      },
    });
    const token = tokenOf(answer);
    if (token === null) throw noToken(who, text, 'something without a token');
    this.#fetchedAtMs = sentAtMs;
    const renewMs = sentAtMs + token.seconds * 1000 - RENEW_BEFORE_MS;
    this.#current = {
      text: token.text,
      renewMs: Math.max(renewMs, sentAtMs + RENEW_INTERVAL_MS_MIN),
    };
    return this.#current;
  }

  #nowMs(): number {
    return this.#surroundings.clock.nowMs();
  }
}

function machineOrigin(authority: string): Origin {
  const { hostname, port, origin } = new URL(`http://${authority}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  return { secure: false, host, port: Number(port === '' ? 80 : port), text: origin, authority };
}

function tokenOf({
  body,
}: PlainAnswer): { readonly text: string; readonly seconds: number } | null {
  const { access_token: text, expires_in: seconds } = jsonOf(body);
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) return null;
  return { text, seconds: typeof seconds === 'number' && seconds > 0 ? seconds : 0 };
}

/** Why Google gives no token: `invalid_grant: …`. Nothing of the request is in it. */
function refusalOf(body: Buffer): string {
  const { error, error_description: description } = jsonOf(body);
  return [error, description]
    .filter((part) => typeof part === 'string')
    .join(': ')
    .slice(0, 200);
}

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // No JSON: there is nothing in it.
  }
  return {};
}

function noToken(who: string, server: string, said: string): Mx8Error {
  return new Mx8Error(
    'object_credentials_missing',
    `No token for Google’s storage: ${server} answered ${said.trim()} when ${who} asked.`,
  );
}
