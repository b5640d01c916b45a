/** Whether this machine is set up so that mx8 can work on it. */
import { fine, type Finding } from './diagnosis.ts';
import { bytesText } from './format.ts';

export interface FolderEvidence {
  /** What it is for, as `manifest store`. */
  readonly what: string;
  readonly path: string;
  /** The flag that chooses another. */
  readonly flag: string;
  /** '' when it can be written, or will be made; else why not. */
  readonly error: string;
  /** Null when it cannot be told. */
  readonly freeBytes: number | null;
  /** Name of the network file system it lies on, or null. */
  readonly sharedOn: string | null;
}

export interface MachineEvidence {
  readonly nodeVersion: string;
  readonly memoryBytes: number;
  readonly folders: readonly FolderEvidence[];
}

const NODE_MAJOR_MIN = 24;
const FREE_BYTES_MIN: number = 1024 ** 3;
const MEMORY_BYTES_MIN: number = 512 * 1024 ** 2;

export function diagnoseMachine(machine: MachineEvidence): readonly Finding[] {
  return [node(machine), memory(machine), ...machine.folders.map(folder)];
}

function node({ nodeVersion }: MachineEvidence): Finding {
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1] ?? 0);
  if (major >= NODE_MAJOR_MIN) return fine('Node is new enough', 'setup', `Node ${nodeVersion}.`);
  return {
    check: 'Node is new enough',
    section: 'setup',
    status: 'problem',
    found: `This is Node ${nodeVersion}; mx8 needs ${NODE_MAJOR_MIN} or later.`,
    run: ['npm ci', 'npx mx8 doctor'],
    expect: `npm brings Node ${NODE_MAJOR_MIN} along where the system's is older.`,
  };
}

function memory({ memoryBytes }: MachineEvidence): Finding {
  const check = 'memory to work with';
  if (memoryBytes >= MEMORY_BYTES_MIN) {
    return fine(check, 'memory', `${bytesText(memoryBytes)} by cgroup or machine.`);
  }
  return {
    check,
    section: 'memory',
    status: 'problem',
    found: `The cgroup or machine allows ${bytesText(memoryBytes)} in all; an agent with one worker needs about ${bytesText(MEMORY_BYTES_MIN)}.`,
    run: ['cat /sys/fs/cgroup/memory.max', 'npx mx8 doctor'],
    expect: 'A limit that leaves an agent room, or fewer workers on this machine.',
  };
}

function folder({ what, path, flag, error, freeBytes, sharedOn }: FolderEvidence): Finding {
  const check = `${what} can be written`;
  if (error !== '') {
    return {
      check,
      section: 'setup',
      status: 'problem',
      found: `${path}: ${error}`,
      run: [`ls -ld ${path}`, 'id'],
      expect: `The folder belongs to the user who runs mx8, or another one is chosen with ${flag}.`,
    };
  }
  if (sharedOn !== null && flag === '--state') {
    return {
      check,
      section: 'setup',
      status: 'problem',
      found: `${path} lies on ${sharedOn}, where the locks of SQLite do not hold.`,
      run: ['npx mx8 coordinator … --state etcd://HOST:2379'],
      expect: 'The coordinator starts; on a network file system it refuses to.',
    };
  }
  if (freeBytes !== null && freeBytes < FREE_BYTES_MIN) {
    return {
      check,
      section: 'setup',
      status: 'problem',
      found: `${path} has ${bytesText(freeBytes)} left.`,
      run: [`df -h ${path}`, `du -xh --max-depth=2 ${path} | sort -h | tail`],
      expect: `More than ${bytesText(FREE_BYTES_MIN)} free; what a coordinator answered is safe, and it goes on when it is started again.`,
    };
  }
  const free = freeBytes === null ? '' : `, ${bytesText(freeBytes)} free`;
  return fine(check, 'setup', `${path}${free}.`);
}
