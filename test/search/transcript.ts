/** A run of the search as lines that a person can follow. */
import { decodeSlot } from '../../src/core/log/entry-codec.ts';
import { seqOfSlot } from '../../src/core/log/keys.ts';
import type { StoreOperation, StoreTransaction } from '../../src/core/log/store-protocol.ts';
import { act, actionsOf } from './act.ts';
import type { ModelStore } from './model-store.ts';
import { type Action, begin, type Bounds, firstWorld, type World } from './world.ts';

const decoder = new TextDecoder();

/** `choices` name, for each step, which of the possible actions was taken. */
export function transcriptOf(bounds: Bounds, choices: readonly number[]): readonly string[] {
  let world = firstWorld(bounds);
  const lines: string[] = [];
  for (const [step, choice] of choices.entries()) {
    const action = actionsOf(world)[choice];
    if (action === undefined) throw new Error(`there is no action ${choice} in step ${step + 1}`);
    lines.push(`${String(step + 1).padStart(2)}. ${lineOf(world, action)}`);
    try {
      const next = act(world, action);
      if (next.store !== world.store) lines.push(`      store: ${storeText(next.store)}`);
      lines.push(...told(world, next));
      world = next;
    } catch {
      // The last step is the one that goes wrong; the caller says how.
      break;
    }
  }
  return lines;
}

function lineOf(world: World, action: Action): string {
  if (action.type === 'land') {
    const transaction = world.late[action.index];
    const held = transaction !== undefined && holds(world.store, transaction);
    const what = transaction === undefined ? '' : transactionText(transaction);
    return `lands late: ${what}${held ? '' : ' — refused by its compares'}`;
  }
  const writer = world.writers[action.writer];
  if (writer === undefined) return '';
  const name = `${writer.name}${writer.life}`;
  if (action.type === 'crash') return `${name} crashes and starts again`;
  const pending = action.task === null ? writer.pending : begin(world, writer, action.task).pending;
  if (pending === null) return name;
  const { state, transaction } = pending;
  const phase = 'phase' in state ? `${state.type}/${state.phase}` : state.type;
  const what = `${name} ${phase}: ${transactionText(transaction)}`;
  if (action.type === 'unknown') return `${what} — no answer, and it is on its way`;
  return holds(world.store, transaction) ? what : `${what} — refused by its compares`;
}

function holds(store: ModelStore, transaction: StoreTransaction): boolean {
  return transaction.compares.every(({ key, target, revision }) => {
    const pair = store.pairs.find((each) => each.key === key);
    const found = target === 'create_revision' ? pair?.createRevision : pair?.modRevision;
    return (found ?? 0) === revision;
  });
}

function transactionText({ compares, then }: StoreTransaction): string {
  const writes = then.filter((operation) => operation.type !== 'get');
  if (writes.length === 0) return 'reads';
  const conditions = compares.map(({ key, target, revision }) => {
    const what = target === 'create_revision' ? 'created' : 'changed';
    return revision === 0 ? `no ${shortKey(key)}` : `${shortKey(key)} ${what} at ${revision}`;
  });
  const when = conditions.length === 0 ? '' : `if ${conditions.join(', ')}: `;
  return when + writes.map(operationText).join(', ');
}

function operationText(operation: StoreOperation): string {
  if (operation.type === 'put') {
    return `put ${shortKey(operation.key)} ${valueText(operation.key, operation.value)}`;
  }
  return `${operation.type} [${shortKey(operation.key)}, ${shortKey(operation.endKey ?? '')})`;
}

function storeText(store: ModelStore): string {
  return store.pairs
    .map(
      ({ key, value, modRevision }) => `${shortKey(key)}@${modRevision}=${valueText(key, value)}`,
    )
    .join('  ');
}

function shortKey(key: string): string {
  return key.replaceAll(/0+(?=\d)/g, '');
}

function valueText(key: string, value: Uint8Array): string {
  if (key.startsWith('slot/')) {
    const { epoch, nonce } = decodeSlot(seqOfSlot(key), value);
    return `(epoch ${epoch}, ${nonce})`;
  }
  const text = decoder.decode(value);
  if (!text.startsWith('mx8log/')) return `"${text}"`;
  const mark = JSON.parse(text.slice(text.indexOf('{'))) as Readonly<Record<string, unknown>>;
  if (key === 'epoch') return `(${String(mark['epoch'])}, ${String(mark['nonce'])})`;
  return key === 'snapshot'
    ? `(${String(mark['seq'])}, ${String(mark['nonce'])})`
    : String(mark['seq']);
}

/** What writers were told in the step from `before` to `after`. */
function told(before: World, after: World): readonly string[] {
  const fresh = (old: readonly string[], now: readonly string[], text: string): readonly string[] =>
    now.filter((each) => !old.includes(each)).map((each) => `      told ${text}: ${each}`);
  const [a, b] = [before.ghost, after.ghost];
  return [
    ...fresh(a.won, b.won, 'won'),
    ...fresh(a.answered, b.answered, 'ok'),
    ...fresh(a.failed, b.failed, 'failed'),
  ];
}
