// fairlead run: the daemon in the foreground, until it is told to end.
import { readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { serve } from '../../../api/serve.ts';
import { parseConfig, readConfig } from '../../../config/load.ts';
import { Remembered } from '../../../config/remembered.ts';
import { Daemon, type Written } from '../../../control/daemon.ts';
import { Journal } from '../../../control/journal.ts';
import { watchLimits } from '../../../control/limits.ts';
import type { Log } from '../../../control/log.ts';
import type { MemoryPaths } from '../../../control/memory.ts';
import { openDirector, requireRoot, upgrade } from '../../../dataplane/director.ts';
import { type DaemonPlace, daemonLockBeside, daemonPlace, lastingPath } from '../../../dataplane/place.ts';
import { tryLock } from '../../../kernel/lock.ts';
import { tellServiceManager } from '../../../kernel/service-manager.ts';
import { FairleadError } from '../../../model/error.ts';
import { version } from '../version.ts';
import { openLog } from './log.ts';

/** Resolves when it has ended. Rejects, with nothing changed, when it can't begin. */
export async function runDaemon(path: string): Promise<void> {
  const place = daemonPlace();
  const known = new Remembered();
  const { source, name } = load(path);
  const { log: wanted } = parseConfig(source, name, known);
  requireRoot();
  using lock = tryLock(place.lock);
  if (lock === undefined)
    throw new FairleadError('daemon-exists', 'a daemon runs in this network namespace already', {
      hint: 'have it read its file again: kill -HUP',
    });
  const log = openLog(wanted.level);
  if (upgrade()) log.info({}, 'the programs of this version took the place of those attached');
  using director = openDirector({ create: true, warn: (text) => log.warn({}, text) });
  if (director === undefined) return;
  const journal = new Journal(place.journal);
  using daemon = new Daemon({ load: () => load(path), known, director, memory: memoryOf(place), journal, log });
  using _api = await serve({ daemon, director, socketPath: place.api, journal, log, version });
  using _limits = watchLimits(() => director.fills(), journal, log);
  using _name = nameSocket(daemon.declared.api.socket.path, place.api, log);
  process.on('SIGHUP', () => reload(daemon, path, log));
  tellServiceManager('READY=1');
  log.info({ file: path, services: daemon.declared.services.length }, 'the daemon runs');
  const signal = await ending();
  tellServiceManager('STOPPING=1');
  log.info({ signal }, 'the daemon ends; packets go on');
}

/** What operators said outlives a boot. */
function memoryOf({ memory }: DaemonPlace): MemoryPaths {
  const lasting = lastingPath('memory');
  return { said: lasting === undefined ? [memory] : [lasting, memory], health: `${memory}.health` };
}

function load(path: string): Written {
  const { bytes: source, name } = readConfig(path);
  return { source, name };
}

/**
 * Commands know the namespace's own socket; others know the name that is declared. The first namespace's daemon gets the name, and
 * another one when that is no more, however it ended.
 */
function nameSocket(name: string, socket: string, log: Log): Disposable {
  const isOurs = (): boolean => targetOf(name) === socket;
  const target = targetOf(name);
  if (target !== undefined && target !== socket && !isServed(target)) rmSync(name);
  try {
    if (!isOurs()) symlinkSync(socket, name);
  } catch (error) {
    log.warn({ err: error, socket }, `${name} can't be made, or is another namespace's`);
  }
  return { [Symbol.dispose]: () => isOurs() && rmSync(name) };
}

/** A socket that is there may be of a daemon that was killed; its lock tells. */
function isServed(socket: string): boolean {
  if (statSync(socket, { throwIfNoEntry: false }) === undefined) return false;
  const path = daemonLockBeside(socket);
  if (path === undefined) return true; // none of ours
  using free = tryLock(path);
  return free === undefined;
}

function targetOf(name: string): string | undefined {
  try {
    return readlinkSync(name);
  } catch {
    return undefined;
  }
}

function reload(daemon: Daemon, path: string, log: Log): void {
  tellServiceManager('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  try {
    const { services } = daemon.reload();
    log.info({ file: path, services: services.length }, 'the configuration is read again');
  } catch (error) {
    log.error({ file: path, err: error }, 'the configuration is not taken: that of before stays');
  }
  tellServiceManager('READY=1');
}

function ending(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
