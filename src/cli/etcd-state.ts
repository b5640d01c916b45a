/** The coordinator's state in etcd: opened, checked and marked as this state's, or refused in a sentence. */
import { readFileSync } from 'node:fs';

import { Mx8Error } from '../core/base/errors.ts';
import { addMs } from '../core/base/units.ts';
import { checkEtcd } from '../log/etcd/check-etcd.ts';
import { parseEtcdPlace } from '../log/etcd/endpoints.ts';
import type { EtcdOptions, EtcdTls, EtcdUser } from '../log/etcd/etcd-caller.ts';
import { EtcdKv } from '../log/etcd/etcd-kv.ts';
import { claimKvPlace, type KvPlace, kvPlace } from '../log/kv-format.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { KvStore } from '../ports/kv-store.ts';
import { pairOf } from './tls.ts';

/** How long a start waits for an etcd that cannot answer yet: its own elections take 1 to 3 s. */
const START_PATIENCE_MS = 5000;
const START_PAUSE_MS = 200;

/** What the flags of `flags/state.ts` say besides the place. */
export interface EtcdFlags {
  readonly etcdCa: string | null;
  readonly etcdCert: string | null;
  readonly etcdKey: string | null;
  readonly etcdUser: string | null;
  readonly etcdPasswordFile: string | null;
}

export interface EtcdStateOptions {
  /** `etcd://…`, as --state says it. */
  readonly place: string;
  /** The state's name where the place has none. */
  readonly defaultName: string;
  readonly flags: EtcdFlags;
  readonly leaderTtlMs: number;
  readonly clock: Clock;
  readonly events: EventSink;
}

/** The caller closes `kv`. Rejects with `Mx8Error`, and has closed it then. */
export async function openEtcdState(
  options: EtcdStateOptions,
): Promise<KvPlace & { readonly kv: KvStore }> {
  const { clock, events, flags, leaderTtlMs } = options;
  const { endpoints, name, usesTls } = parseEtcdPlace(options.place);
  const place = kvPlace(name ?? options.defaultName);
  const tls = tlsOf(flags, usesTls);
  const login = loginOf(flags);
  const kv = new EtcdKv({
    endpoints,
    clock,
    events,
    ...etcdTimes(leaderTtlMs),
    ...(tls === null ? {} : { tls }),
    ...(login === null ? {} : { login }),
  });
  try {
    await patiently(clock, async () => {
      const { silent } = await checkEtcd(kv, `${place.prefix}format`);
      for (const { endpoint, why } of silent) {
        events.emit('warn', 'etcd_member_silent', { endpoint, reason: why });
      }
      await claimKvPlace(kv, place);
    });
    return { ...place, kv };
  } catch (error) {
    await kv.close();
    throw error;
  }
}

/** Again and again while it fails for a reason that passes, such as an election of etcd's own leader. */
async function patiently(clock: Clock, body: () => Promise<void>): Promise<void> {
  const deadlineMs = addMs(clock.nowMs(), START_PATIENCE_MS);
  for (;;) {
    try {
      return await body();
    } catch (error) {
      const passes = error instanceof Mx8Error && error.retryable;
      if (!passes || clock.nowMs() >= deadlineMs) throw error;
      await clock.sleep(START_PAUSE_MS);
    }
  }
}

/**
 * A member that hangs must cost a leader less than its lead: another is asked within a quarter of the
 * TTL, and a call ends while there is still time to renew.
 */
export function etcdTimes(
  leaderTtlMs: number,
): Required<Pick<EtcdOptions, 'attemptTimeoutMs' | 'callTimeoutMs'>> {
  return {
    attemptTimeoutMs: Math.min(2500, Math.max(500, leaderTtlMs / 4)),
    callTimeoutMs: Math.min(5000, Math.max(1000, leaderTtlMs * 0.75)),
  };
}

function tlsOf({ etcdCa, etcdCert, etcdKey }: EtcdFlags, usesTls: boolean): EtcdTls | null {
  if ((etcdCert === null) !== (etcdKey === null)) {
    const [given, missing] =
      etcdKey === null ? ['--etcd-cert', '--etcd-key'] : ['--etcd-key', '--etcd-cert'];
    throw invalid(missing, `${given} needs ${missing}: the certificate and its private key`);
  }
  if (etcdCa === null && !usesTls) {
    if (etcdCert === null) return null;
    throw invalid(
      '--etcd-cert',
      'a certificate is only shown over TLS; write etcds:// in --state, or give --etcd-ca',
    );
  }
  return {
    ...(etcdCa === null ? {} : { caPem: pemOf('--etcd-ca', etcdCa) }),
    ...pairOf(['--etcd-cert', etcdCert], ['--etcd-key', etcdKey]),
  };
}

function loginOf({ etcdUser, etcdPasswordFile }: EtcdFlags): EtcdUser | null {
  if (etcdUser === null && etcdPasswordFile === null) return null;
  if (etcdUser === null) throw invalid('--etcd-user', '--etcd-password-file needs --etcd-user');
  if (etcdPasswordFile === null) {
    throw invalid('--etcd-password-file', '--etcd-user needs --etcd-password-file');
  }
  const password = textOf('--etcd-password-file', etcdPasswordFile).replace(/\r?\n$/, '');
  if (password === '' || password.includes('\n')) {
    throw invalid(
      '--etcd-password-file',
      `${etcdPasswordFile} must hold the password in one line, and nothing else`,
    );
  }
  return { user: etcdUser, password };
}

function pemOf(flag: string, path: string): string {
  const text = textOf(flag, path);
  if (text.includes('-----BEGIN ')) return text;
  throw invalid(flag, `${flag} takes a PEM file, and ${path} is none: it has no -----BEGIN line`);
}

function textOf(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(flag, `cannot read the file of ${flag}: ${reason}`);
  }
}

function invalid(flag: string, message: string): Mx8Error {
  return new Mx8Error('flag_invalid', message, { flag });
}
