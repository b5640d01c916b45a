/** What the coordinators of a state look like from here: reachability, leader, standbys, clocks, versions. */
import { durationText } from './format.ts';
import { fine, type Finding } from './diagnosis.ts';

export interface CoordinatorEvidence {
  /** As given in the list. */
  readonly address: string;
  /** Null when it did not answer. */
  readonly answer: {
    readonly role: 'leader' | 'standby';
    readonly leaderAddress: string | null;
    readonly epoch: number;
    readonly tailSeq: number;
    readonly version: string;
    /** How far its wall clock is ahead of this machine's; within half a round trip. */
    readonly clockAheadMs: number;
    readonly candidates: readonly { readonly address: string; readonly appliedSeq: number }[];
    /** Why the store of the state does not answer it; '' where it does. */
    readonly storeError: string;
  } | null;
  /** Why it did not answer; '' when it did. */
  readonly error: string;
  /** Its page and metrics, and why they cannot be had from here ('' when they can); null: not looked at. */
  readonly page: { readonly url: string; readonly error: string } | null;
}

/** Clocks decide nothing in mx8; but times in logs that differ more mislead whoever reads them. */
const CLOCK_AHEAD_MS_MAX = 2000;

/** Entries a standby may be behind without a word: what a busy leader writes between two looks. */
const LAG_ENTRIES_MAX = 1000;

export function diagnoseCoordinators(
  coordinators: readonly CoordinatorEvidence[],
  ownVersion: string,
): readonly Finding[] {
  const answering = coordinators.filter((one) => one.answer !== null);
  const findings = [leader(coordinators), ...coordinators.flatMap(reachability)];
  if (answering.length === 0) return findings;
  return [
    ...findings,
    standbys(coordinators),
    ...coordinators.flatMap(pages),
    clocks(coordinators),
    versions(coordinators, ownVersion),
  ];
}

function leader(coordinators: readonly CoordinatorEvidence[]): Finding {
  const check = 'a coordinator leads';
  const addresses = coordinators.map(({ address }) => address).join(',');
  const leads = coordinators.find(({ answer }) => answer?.role === 'leader');
  if (leads?.answer !== null && leads !== undefined) {
    return fine(check, 'coordinator', `${leads.address} leads, epoch ${leads.answer.epoch}.`);
  }
  const known = coordinators.flatMap(({ answer }) => answer?.leaderAddress ?? [])[0];
  if (known !== undefined) {
    return {
      ...fine(check, 'coordinator', `${known} leads, and is not in the list ${addresses}.`),
      status: 'notice',
      run: [`npx mx8 status --coord-url ${addresses},${known}`],
      expect:
        'Give agents and clients all addresses, so that they find a leader even if the others are gone.',
    };
  }
  const storeless = coordinators.find(({ answer }) => (answer?.storeError ?? '') !== '');
  if (storeless !== undefined) return withoutStore(storeless, addresses);
  const isAlone = coordinators.every(({ answer }) => answer === null);
  return {
    check,
    section: 'coordinator',
    status: 'problem',
    found: isAlone
      ? 'No coordinator of the list answers.'
      : 'Coordinators stand by, but none leads.',
    run: isAlone
      ? [
          'npx mx8 coordinator … (the command it was started with)',
          `npx mx8 status --coord-url ${addresses}`,
        ]
      : [`npx mx8 status --coord-url ${addresses} --polls 5`],
    expect: isAlone
      ? 'It goes on from what it answered; agents come back by themselves and progress moves again.'
      : 'One takes over within a few seconds; otherwise its log says why it cannot (the store of the state).',
  };
}

/** To start coordinators again would not help: those that run lead as soon as the store answers. */
function withoutStore({ address, answer }: CoordinatorEvidence, addresses: string): Finding {
  return {
    check: 'a coordinator leads',
    section: 'coordinator',
    status: 'problem',
    found: `None leads: ${address} runs, but the store of its state does not answer: ${answer?.storeError ?? ''}.`,
    run: [
      'etcdctl endpoint health --endpoints … (those of --state; of a folder: is its disk there, is it full)',
      `npx mx8 status --coord-url ${addresses} --polls 5`,
    ],
    expect:
      'Once the store answers one leads within seconds, with every lease; no coordinator or agent needs a restart.',
  };
}

function reachability({ address, answer, error }: CoordinatorEvidence): readonly Finding[] {
  if (answer !== null)
    return [fine('coordinator answers', 'coordinator', `${address} is ${answer.role}.`)];
  return [
    {
      check: 'coordinator answers',
      section: 'coordinator',
      status: 'notice',
      found: `${address} does not answer: ${error}`,
      run: ['npx mx8 coordinator … (the command it was started with)'],
      expect: 'It stands by, or leads when nobody else does.',
    },
  ];
}

function pages({ page }: CoordinatorEvidence): readonly Finding[] {
  const check = 'page and metrics answer';
  if (page === null) return [];
  if (page.error === '') return [fine(check, 'setup', page.url)];
  return [
    {
      check,
      section: 'setup',
      status: 'notice',
      found: `${page.url} cannot be had from here: ${page.error}`,
      run: [`curl -sS ${page.url}healthz`],
      expect: '"ok"; else another program has that port, or a firewall is in between.',
    },
  ];
}

function standbys(coordinators: readonly CoordinatorEvidence[]): Finding {
  const check = 'somebody stands by';
  const leads = coordinators.find(({ answer }) => answer?.role === 'leader')?.answer;
  const some = leads ?? coordinators.find(({ answer }) => answer !== null)?.answer;
  if (some === undefined || some === null) return fine(check, 'coordinator', 'Not known.');
  if (some.storeError !== '') {
    const found = 'Not known while the store of the state does not answer.';
    return { ...fine(check, 'coordinator', found), status: 'unknown' };
  }
  const others = some.candidates.length - 1;
  if (others < 1) {
    return {
      ...fine(
        check,
        'coordinator',
        'Nobody takes over when the leader ends; it has to be started again.',
      ),
      status: 'notice',
      run: ['npx mx8 coordinator … (the same command and --state, with another --bind)'],
      expect: 'mx8 status lists it as a standby that is up to date.',
    };
  }
  const furthestBehind = Math.max(
    ...some.candidates.map(({ appliedSeq }) => some.tailSeq - appliedSeq),
  );
  if (furthestBehind <= LAG_ENTRIES_MAX) {
    return fine(check, 'coordinator', `${others} stand by, up to date.`);
  }
  return {
    ...fine(check, 'coordinator', `A standby is ${furthestBehind} entries behind.`),
    status: 'notice',
    run: ['npx mx8 status --polls 5'],
    expect: 'The lag falls; a standby that stays behind does not reach the store of the state.',
  };
}

function clocks(coordinators: readonly CoordinatorEvidence[]): Finding {
  const ahead = coordinators.map(({ answer }) => Math.abs(answer?.clockAheadMs ?? 0));
  const worstMs = Math.max(0, ...ahead);
  if (worstMs <= CLOCK_AHEAD_MS_MAX) return fine('clocks agree', 'setup', 'Within two seconds.');
  return {
    check: 'clocks agree',
    section: 'setup',
    status: 'notice',
    found: `The clock of a coordinator and of this machine differ by ${durationText(worstMs)}. No decision rests on it, but times in logs mislead.`,
    run: ['timedatectl status'],
    expect: '"System clock synchronized: yes" on both machines.',
  };
}

function versions(coordinators: readonly CoordinatorEvidence[], own: string): Finding {
  const others = new Set(
    coordinators.flatMap(({ answer }) => (answer === null ? [] : [answer.version])),
  );
  others.delete(own);
  if (others.size === 0) return fine('versions agree', 'setup', `All run mx8 ${own}.`);
  return {
    check: 'versions agree',
    section: 'setup',
    status: 'notice',
    found: `This is mx8 ${own}; a coordinator runs ${[...others].map((one) => one || 'an older one').join(', ')}.`,
    run: ['npx mx8 --version'],
    expect:
      'The same on all machines once an upgrade is over; a newer state is refused by an older mx8.',
  };
}
