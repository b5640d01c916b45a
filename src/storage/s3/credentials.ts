/**
 * Where S3's credentials come from, the first that has some: the environment, a web identity token (as
 * Kubernetes gives one), the shared files and whatever a profile in them says, and, only where that was
 * allowed, the container's or the machine's own. They are fetched again before they expire, and when a
 * store says that they have.
 */
import { Mx8Error } from '../../core/base/errors.ts';
import type { Clock } from '../../ports/clock.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

export type CredentialSource = () => Promise<Credentials>;

/** New ones are fetched so long before the old ones expire. */
const RENEW_BEFORE_MS = 300_000;
/** Nobody asks more often than this, however loudly a store refuses. */
const RENEW_INTERVAL_MS_MIN = 1_000;

/** Amazon's modules are loaded by whoever needs them: most processes never do. */
const ENVIRONMENT: CredentialSource = async () =>
  (await import('@aws-sdk/credential-provider-env')).fromEnv()();
const WEB_IDENTITY: CredentialSource = async () =>
  (await import('@aws-sdk/credential-provider-web-identity')).fromTokenFile()();
const SHARED_FILES: CredentialSource = async () =>
  (await import('@aws-sdk/credential-provider-ini')).fromIni({ ignoreCache: true })();
const CONTAINER: CredentialSource = async () =>
  (await import('@smithy/credential-provider-imds')).fromContainerMetadata()();
const MACHINE: CredentialSource = async () =>
  (await import('@smithy/credential-provider-imds')).fromInstanceMetadata()();

export function credentialSources(machineCredentials: boolean): readonly CredentialSource[] {
  const given = [ENVIRONMENT, WEB_IDENTITY, SHARED_FILES];
  return machineCredentials ? [...given, CONTAINER, MACHINE] : given;
}

export class CredentialChain {
  readonly #sources: readonly CredentialSource[];
  readonly #clock: Clock;
  #current: Credentials | null = null;
  #fetching: Promise<Credentials> | null = null;
  #fetchedAtMs: number = -Infinity;

  constructor(sources: readonly CredentialSource[], clock: Clock) {
    this.#sources = sources;
    this.#clock = clock;
  }

  async get(): Promise<Credentials> {
    const current = this.#current;
    if (current !== null && !this.#isEnding(current)) return current;
    return this.#fetch();
  }

  /**
   * A store refused `used` as expired or unknown. Answers whether there are others now, or that they were
   * fetched too short a while ago to ask again yet.
   */
  async replace(used: object): Promise<'others' | 'the same' | 'too soon'> {
    const before = this.#current;
    if (before === null || before !== used) return 'others';
    if (this.#clock.nowMs() - this.#fetchedAtMs < RENEW_INTERVAL_MS_MIN) return 'too soon';
    const now = await this.#fetch();
    const isSame =
      now.accessKeyId === before.accessKeyId && now.sessionToken === before.sessionToken;
    return isSame ? 'the same' : 'others';
  }

  #isEnding({ expiration }: Credentials): boolean {
    if (expiration === undefined) return false;
    if (this.#clock.nowMs() - this.#fetchedAtMs < RENEW_INTERVAL_MS_MIN) return false;
    return expiration.getTime() - this.#clock.unixMs() < RENEW_BEFORE_MS;
  }

  #fetch(): Promise<Credentials> {
    this.#fetching ??= this.#ask().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #ask(): Promise<Credentials> {
    const reasons: string[] = [];
    for (const source of this.#sources) {
      try {
        this.#current = await source();
        this.#fetchedAtMs = this.#clock.nowMs();
        return this.#current;
      } catch (error) {
        reasons.push(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
      }
    }
    throw new Mx8Error(
      'object_credentials_missing',
      `No credentials for S3 were found: ${reasons.join(' ')}`,
    );
  }
}
