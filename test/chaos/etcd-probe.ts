/**
 * Asks members of etcd from where it is started, a network namespace of its own included:
 * `etcd-probe.ts health URL…` ends with 0 once all are healthy; `leader URL…` prints the index of the one
 * that leads.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS_MAX = 60_000;

const [question = '', ...urls] = process.argv.slice(2);
const untilMs = performance.now() + WAIT_MS_MAX;
let isAnswered = false;
while (!isAnswered && performance.now() < untilMs) {
  isAnswered = question === 'health' ? await areHealthy() : await printLeader();
  if (!isAnswered) await sleep(100);
}
process.exitCode = isAnswered ? 0 : 1;

async function areHealthy(): Promise<boolean> {
  const answers = await Promise.all(urls.map((url) => asked(`${url}/health`)));
  return answers.every((answer) => answer?.['health'] === 'true');
}

async function printLeader(): Promise<boolean> {
  for (const [index, url] of urls.entries()) {
    const status = await asked(`${url}/v3/maintenance/status`, '{}');
    const header = status?.['header'] as { readonly member_id?: string } | undefined;
    if (header?.member_id === undefined || status?.['leader'] !== header.member_id) continue;
    process.stdout.write(`${index}\n`);
    return true;
  }
  return false;
}

/** Null when there is no answer. */
async function asked(
  url: string,
  body?: string,
): Promise<Readonly<Record<string, unknown>> | null> {
  try {
    const how = body === undefined ? {} : { method: 'POST', body };
    const answer = await fetch(url, { ...how, signal: AbortSignal.timeout(1000) });
    return (await answer.json()) as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}
