/** What is known of Google's storage: the server and the token. Makes requests, and says what answers mean. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { ResponseHead } from '../../core/transfer/response-head.ts';
import type { Variables } from '../../ports/variables.ts';
import type { Authority, RangeRequest, Ticket, Verdict } from '../http/authority.ts';
import { checkMayCarrySecrets } from '../http/endpoint.ts';
import { judgeStatus } from '../http/http-errors.ts';
import { originOf } from '../http/origin.ts';
import type { HttpSurroundings } from '../http/range-client.ts';
import { parseGcsError } from './gcs-answers.ts';
import type { Access } from './gcs-credentials.ts';
import { parseGcsLocation } from './gcs-location.ts';
import { gcsSettings } from './gcs-settings.ts';
import type { GcsOptions, GcsSettings } from './gcs-settings.ts';
import { GcsTokens } from './gcs-tokens.ts';
import type { AccessToken } from './gcs-tokens.ts';

/** Said with 403 although it is only for a while. */
const WAIT_REASONS = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'backendError']);

/** What a request is about. */
export type GcsTarget =
  | 'object'
  /** All objects of the bucket. */
  | 'bucket'
  /** Bytes that become an object of the bucket; its name goes with the query or with the bytes. */
  | 'upload'
  /** The object, made of others. */
  | 'compose'
  /** Another object, which it is copied to. */
  | { readonly copyTo: string };

export interface GcsQuestion {
  readonly at: GcsTarget;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** What the token must be good for. */
  readonly access: Access;
}

/** What a request was made with. */
interface GcsTicket {
  readonly token: AccessToken;
  readonly access: Access;
}

export class GcsSession implements Authority {
  readonly #options: GcsOptions;
  readonly #events: HttpSurroundings['events'];
  readonly #variables: Variables;
  /** A token for writing is asked for by who writes. */
  readonly #tokens: Readonly<Record<Access, GcsTokens>>;
  #settings: GcsSettings | null = null;

  constructor(options: GcsOptions, surroundings: HttpSurroundings, variables: Variables) {
    this.#options = options;
    this.#events = surroundings.events;
    this.#variables = variables;
    const tokens = (access: Access): GcsTokens =>
      new GcsTokens(options.machineCredentials, surroundings, variables, access);
    this.#tokens = { read: tokens('read'), write: tokens('write') };
  }

  rangeRequest(location: string): Promise<RangeRequest> {
    // Bytes as they are kept: those of a compressed object would be unpacked on the way, and be no range of it.
    return this.request(location, {
      query: { alt: 'media' },
      headers: { 'accept-encoding': 'gzip' },
    });
  }

  async request(
    location: string,
    { at = 'object', query = {}, headers = {}, access = 'read' }: Partial<GcsQuestion>,
  ): Promise<RangeRequest> {
    const { bucket, object } = parseGcsLocation(location);
    const { endpoint, flag, anonymous } = this.#known();
    const origin = originOf(endpoint);
    const asked = Object.entries(query).map(
      ([key, value]) => `${key}=${encodeURIComponent(value)}`,
    );
    const path = `${endpoint.pathname.replace(/\/$/, '')}${pathOf(bucket, object, at)}`;
    const target = asked.length === 0 ? path : `${path}?${asked.join('&')}`;
    const sent = Object.entries(headers);
    if (anonymous) return { origin, target, headers: sent };
    checkMayCarrySecrets(origin, flag);
    const token = await this.#tokens[access].get();
    sent.push(['authorization', `Bearer ${token.text}`]);
    return { origin, target, headers: sent, ticket: { token, access } satisfies GcsTicket };
  }

  etagOf(_location: string, { headers }: ResponseHead): string {
    return headers.get('x-goog-generation') ?? '';
  }

  async judge(
    location: string,
    head: ResponseHead,
    body: string,
    ticket?: Ticket,
  ): Promise<Verdict> {
    const { reason, message } = parseGcsError(body);
    const details = { location, status: head.status };
    if (head.status === 401 && ticket !== undefined) {
      return this.#judgeToken(location, message, ticket as GcsTicket);
    }
    if (head.status === 403 && WAIT_REASONS.has(reason)) {
      return { type: 'wait', why: `the store answered ${reason}` };
    }
    if (head.status === 404 && /\bbucket does not exist/i.test(message)) {
      const { bucket } = parseGcsLocation(location);
      const text = `${location}: there is no bucket ${bucket} at ${this.#known().endpoint.origin}.`;
      return { type: 'error', error: new Mx8Error('object_missing', text, details) };
    }
    const said = [reason, message].filter((part) => part !== '');
    return judgeStatus(location, head, said.join(': '));
  }

  close(): void {
    for (const tokens of Object.values(this.#tokens)) tokens.close();
  }

  async #judgeToken(
    location: string,
    message: string,
    { token, access }: GcsTicket,
  ): Promise<Verdict> {
    const why = 'the store refused the token';
    const found = await this.#tokens[access].replace(token);
    switch (found) {
      case 'other':
        this.#events.emit('debug', 'object_credentials_renewed', { location, why });
        return { type: 'again', why };
      case 'too soon':
        return { type: 'wait', why };
      case 'same': {
        const text = `${location} is not for these credentials: ${why} (${message}), and another one is the same.`;
        return { type: 'error', error: new Mx8Error('object_denied', text, { location }) };
      }
      default:
        return found satisfies never;
    }
  }

  #known(): GcsSettings {
    this.#settings ??= gcsSettings(this.#options, this.#variables);
    return this.#settings;
  }
}

function pathOf(bucket: string, object: string, at: GcsTarget): string {
  const objects = `/storage/v1/b/${bucket}/o`;
  const name = `${objects}/${encodeURIComponent(object)}`;
  if (typeof at === 'object') {
    const to = parseGcsLocation(at.copyTo);
    return `${name}/rewriteTo/b/${to.bucket}/o/${encodeURIComponent(to.object)}`;
  }
  switch (at) {
    case 'object':
      return name;
    case 'bucket':
      return objects;
    case 'upload':
      return `/upload${objects}`;
    case 'compose':
      return `${name}/compose`;
    default:
      return at satisfies never;
  }
}
