/** What a coordinator says of its leadership, as `mx8.v1` carries it. */
import type { CoordinatorView } from '../ports/coordinator-client.ts';
import { children, text, uint64 } from './fields.ts';
import type { WireMessage } from './schema.ts';

export function coordinatorMessage(view: CoordinatorView): WireMessage {
  const { role, who, address, leader, epoch, appliedSeq, tailSeq, candidates } = view;
  return {
    role,
    who,
    address,
    leaderWho: leader?.who ?? '',
    leaderAddress: leader?.address ?? '',
    epoch,
    appliedSeq,
    tailSeq,
    leadsSinceUnixTimeMs: Math.round(view.leadsSinceUnixMs ?? 0),
    candidates: candidates.map((one) => ({ ...one })),
    serverUnixTimeMs: Math.round(view.serverUnixMs),
    version: view.version,
    webUrl: view.webUrl ?? '',
    storeError: view.storeError,
  };
}

export function coordinatorFrom(message: WireMessage): CoordinatorView {
  const leaderWho = text(message, 'leaderWho');
  const webUrl = text(message, 'webUrl');
  const sinceUnixMs = uint64(message, 'leadsSinceUnixTimeMs');
  return {
    role: text(message, 'role') === 'leader' ? 'leader' : 'standby',
    who: text(message, 'who'),
    address: text(message, 'address'),
    webUrl: webUrl === '' ? null : webUrl,
    leader: leaderWho === '' ? null : { who: leaderWho, address: text(message, 'leaderAddress') },
    epoch: uint64(message, 'epoch'),
    appliedSeq: uint64(message, 'appliedSeq'),
    tailSeq: uint64(message, 'tailSeq'),
    leadsSinceUnixMs: sinceUnixMs === 0 ? null : sinceUnixMs,
    serverUnixMs: uint64(message, 'serverUnixTimeMs'),
    version: text(message, 'version'),
    storeError: text(message, 'storeError'),
    candidates: children(message, 'candidates').map((candidate) => ({
      who: text(candidate, 'who'),
      address: text(candidate, 'address'),
      appliedSeq: uint64(candidate, 'appliedSeq'),
    })),
  };
}
