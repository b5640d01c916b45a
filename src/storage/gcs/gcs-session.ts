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
import { parseGcsLocation } from './gcs-location.ts';
import { gcsSettings } from './gcs-settings.ts';
import type { GcsOptions, GcsSettings } from './gcs-settings.ts';
import { GcsTokens } from './gcs-tokens.ts';

/** Said with 403 although it is only for a while. */
const WAIT_REASONS = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'backendError']);

export class GcsSession implements Authority {
  readonly #options: GcsOptions;
  readonly #events: HttpSurroundings['events'];
  readonly #variables: Variables;
  readonly #tokens: GcsTokens;
  #settings: GcsSettings | null = null;

  constructor(options: GcsOptions, surroundings: HttpSurroundings, variables: Variables) {
    this.#options = options;
    this.#events = surroundings.events;
    this.#variables = variables;
    this.#tokens = new GcsTokens(options.machineCredentials, surroundings, variables);
  }

  rangeRequest(location: string): Promise<RangeRequest> {
    return this.request(location, { alt: 'media' });
  }

  /** About an object; about its bucket's objects when `isListing`. */
  async request(
    location: string,
    query: Readonly<Record<string, string>>,
    isListing: boolean = false,
  ): Promise<RangeRequest> {
    const { bucket, object } = parseGcsLocation(location);
    const { endpoint, flag, anonymous } = this.#known();
    const origin = originOf(endpoint);
    const path = `${endpoint.pathname.replace(/\/$/, '')}/storage/v1/b/${bucket}/o`;
    const name = isListing ? '' : `/${encodeURIComponent(object)}`;
    const asked = Object.entries(query).map(
      ([key, value]) => `${key}=${encodeURIComponent(value)}`,
    );
    const target = `${path}${name}?${asked.join('&')}`;
    const headers: [string, string][] = [];
    // Bytes as they are kept: those of a compressed object would be unpacked on the way, and be no range of it.
    if (query['alt'] === 'media') headers.push(['accept-encoding', 'gzip']);
    if (anonymous) return { origin, target, headers };
    checkMayCarrySecrets(origin, flag);
    const token = await this.#tokens.get();
    headers.push(['authorization', `Bearer ${token.text}`]);
    return { origin, target, headers, ticket: token };
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
      return this.#judgeToken(location, message, ticket);
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
    this.#tokens.close();
  }

  async #judgeToken(location: string, message: string, ticket: Ticket): Promise<Verdict> {
    const why = 'the store refused the token';
    const found = await this.#tokens.replace(ticket);
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
