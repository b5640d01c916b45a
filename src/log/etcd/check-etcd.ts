/** Whether an etcd is fit to hold the coordinator's state, said in sentences before anything is started. */
import { Mx8Error } from '../../core/base/errors.ts';
import { KvError } from '../../ports/kv-store.ts';
import { storeError } from '../kv-errors.ts';
import type { EtcdCaller } from './etcd-caller.ts';
import type { EtcdKv } from './etcd-kv.ts';
import { CHECK_TIMEOUT_MS } from './limits.ts';
import { type Member, MemberFailure } from './member.ts';
import {
  childOf,
  type EtcdMessage,
  etcdMethod,
  type EtcdMethod,
  idOf,
  textOf,
  textsOf,
} from './schema.ts';

/** The first that has progress requests on watches, and `errors` in a member's status. */
const VERSION_MIN = [3, 4] as const;

const STATUS: EtcdMethod = etcdMethod('Maintenance/Status');

const OF_CERTIFICATES = /certificate|self.signed|altnames|SSL|TLS|EPROTO|CERT_/i;

export interface EtcdHealth {
  readonly clusterId: string;
  /** Members that did not answer, with why; the others carry on without them. */
  readonly silent: readonly { readonly endpoint: string; readonly why: string }[];
}

type MemberStatus =
  | { readonly type: 'answered'; readonly endpoint: string; readonly status: EtcdMessage }
  | { readonly type: 'failed'; readonly endpoint: string; readonly failure: MemberFailure };

type Answered = Extract<MemberStatus, { type: 'answered' }>;

/** Rejects with `Mx8Error`; `probeKey` is a key that the login must be allowed to read. */
export async function checkEtcd(kv: EtcdKv, probeKey: string): Promise<EtcdHealth> {
  const { caller } = kv;
  const statuses = await Promise.all(caller.members.map((member) => statusOf(caller, member)));
  const answered = statuses.filter((status) => status.type === 'answered');
  const failed = statuses.filter((status) => status.type === 'failed');
  const [first] = answered;
  if (first === undefined) throw noneAnswered(failed);
  const clusterId = clusterOf(first);
  const stranger = answered.find((status) => clusterOf(status) !== clusterId);
  if (stranger !== undefined) {
    throw refused(
      `${first.endpoint} and ${stranger.endpoint} belong to different etcd clusters (${clusterId} and ${clusterOf(stranger)}); name the members of one in --state`,
    );
  }
  for (const status of answered) {
    checkVersion(status);
    checkAlarms(status);
  }
  if (answered.every(({ status }) => idOf(status, 'leader') === '0')) {
    throw new Mx8Error(
      'store_unavailable',
      `the etcd cluster at ${answered.map(({ endpoint }) => endpoint).join(', ')} has no leader: more than half of its members must run${silentText(failed)}`,
    );
  }
  try {
    await kv.range(probeKey, null);
  } catch (error) {
    throw asked(error);
  }
  return {
    clusterId,
    silent: failed.map(({ endpoint, failure }) => ({ endpoint, why: failure.message })),
  };
}

async function statusOf(caller: EtcdCaller, member: Member): Promise<MemberStatus> {
  const { endpoint } = member;
  try {
    const status = await caller.askMember(member, STATUS, {}, CHECK_TIMEOUT_MS);
    return { type: 'answered', endpoint, status };
  } catch (error) {
    if (!(error instanceof MemberFailure)) throw error;
    return { type: 'failed', endpoint, failure: error };
  }
}

function noneAnswered(
  failed: readonly { readonly endpoint: string; readonly failure: MemberFailure }[],
): Mx8Error {
  const each = failed.map(({ endpoint, failure }) => `${endpoint}: ${failure.message}`).join('; ');
  if (failed.some(({ failure }) => failure.kind === 'refused' || failure.kind === 'token')) {
    return refused(
      `etcd refuses the login of this coordinator (${each}); check --etcd-user and --etcd-password-file`,
    );
  }
  if (failed.every(({ failure }) => OF_CERTIFICATES.test(failure.message))) {
    return refused(
      `no secure connection to etcd (${each}); check --etcd-ca, --etcd-cert and --etcd-key`,
    );
  }
  return new Mx8Error(
    'store_unavailable',
    `no member of etcd answers (${each}); check the addresses in --state, that etcd runs there, and whether it wants TLS (--etcd-ca, or etcds://)`,
  );
}

function checkVersion({ endpoint, status }: Answered): void {
  const version = textOf(status, 'version');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = VERSION_MIN;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  throw refused(
    `etcd at ${endpoint} is version ${version === '' ? 'unknown' : version}; mx8 needs ${leastMajor}.${leastMinor} or later`,
  );
}

function checkAlarms({ endpoint, status }: Answered): void {
  for (const error of textsOf(status, 'errors')) {
    if (/NOSPACE/.test(error)) {
      throw refused(
        `etcd at ${endpoint} has no room left and takes no writes (alarm NOSPACE); compact and defragment it or raise its --quota-backend-bytes, then clear the alarm with etcdctl alarm disarm`,
      );
    }
    if (/CORRUPT/.test(error)) {
      throw refused(
        `a member of the etcd cluster at ${endpoint} holds damaged data (alarm CORRUPT); replace that member, then clear the alarm with etcdctl alarm disarm`,
      );
    }
  }
}

/** What a read of our own key says that no status says: whether we may. */
function asked(error: unknown): unknown {
  if (!(error instanceof KvError)) return error;
  if (/permission denied/.test(error.message)) {
    return refused(
      `${error.message}; give the user of --etcd-user the right to read and write the keys that begin with mx8/`,
    );
  }
  if (/user name is empty|invalid auth token/.test(error.message)) {
    return refused(
      `${error.message}; it asks for a user: give --etcd-user and --etcd-password-file`,
    );
  }
  return storeError(error);
}

function clusterOf({ status }: Answered): string {
  return BigInt(idOf(childOf(status, 'header') ?? {}, 'clusterId')).toString(16);
}

function silentText(
  failed: readonly { readonly endpoint: string; readonly failure: MemberFailure }[],
): string {
  if (failed.length === 0) return '';
  const each = failed.map(({ endpoint, failure }) => `${endpoint}: ${failure.message}`);
  return ` (${each.join('; ')})`;
}

function refused(message: string): Mx8Error {
  return new Mx8Error('store_refused', message);
}
