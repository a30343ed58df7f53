// The programs by which servers behind LVS-FULLNAT see their clients: pinned for this network namespace, put on interfaces, taken away.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPlace } from '../dataplane/place.ts';
import { type Layouts, readLayouts } from '../kernel/btf.ts';
import { findCgroupRoot } from '../kernel/cgroup.ts';
import { encode } from '../kernel/codec.ts';
import { interfaces } from '../kernel/interfaces.ts';
import { exchangeNames } from '../kernel/libc.ts';
import { BpfLink, type CgroupHook } from '../kernel/link.ts';
import { BpfMap } from '../kernel/map.ts';
import { createNetnsSentinel, isNetnsAlive, netnsCookie } from '../kernel/namespace.ts';
import { BpfObject } from '../kernel/object.ts';
import { BpfProgram } from '../kernel/program.ts';
import { attachTc, detachTc, listTc, type TcSlot } from '../kernel/tc.ts';
import { parseAddress } from '../model/address.ts';
import { FairleadError } from '../model/error.ts';
import { type Prefix, toPrefix } from './director.ts';

/** How often, since it was installed. */
export interface Tales {
  /** A director told who the client of a connection is. */
  readonly learned: number;
  /** Its server was told. */
  readonly told: number;
  /** Somebody else told, and was not believed. */
  readonly notFromDirector: number;
}

const objectPath = fileURLToPath(new URL('../../build/bpf/client.bpf.o', import.meta.url));
const learner = 'client_learn';
/** By the program's name: where in the cgroup it is. */
const cgroupPrograms: Readonly<Record<string, CgroupHook>> = {
  client_establish: 'sockOps',
  client_tell_four: 'getpeername4',
  client_tell_six: 'getpeername6',
  client_receive_four: 'recvmsg4',
  client_receive_six: 'recvmsg6',
  client_send_four: 'sendmsg4',
  client_send_six: 'sendmsg6',
  client_connect_four: 'connect4',
  client_connect_six: 'connect6',
};
/** What the programs of a later build go on with. */
const pinnedMaps = ['directors', 'tales', 'learned', 'clients', 'datagram_clients', 'ways_back'];
const sentinelName = 'sentinel';
/** Before the decapsulator's (63): what it lets pass was for another program. */
const priority = 62;
/** "fairlead", as far as hexadecimal digits spell it. */
const handle = 0xfa1ead;
const mappedBits = 96;

export class ClientPrograms implements Disposable {
  readonly #directory: string;
  readonly #learner: BpfProgram;
  readonly #directors: BpfMap;
  readonly #layouts: Layouts = readLayouts(objectPath);

  private constructor(directory: string) {
    const program = BpfProgram.openPinned(join(directory, learner));
    const directors = BpfMap.openPinned(join(directory, 'directors'));
    if (program === undefined || directors === undefined) {
      throw new FairleadError('not-attached', `${directory}: it is not whole`, {
        hint: 'run fairlead realserver reset, then add again',
      });
    }
    this.#directory = directory;
    this.#learner = program;
    this.#directors = directors;
  }

  /** undefined where they are not installed. */
  static open(): ClientPrograms | undefined {
    const root = findRoot(false);
    const directory = root === undefined ? undefined : directoryIn(root, netnsCookie());
    return directory !== undefined && existsSync(directory) ? new ClientPrograms(directory) : undefined;
  }

  /** Not so where those of another build are. */
  get isInstalled(): boolean {
    return isWhole(this.#directory);
  }

  /** Those that are there, or new ones, which go on with what those of another build know. Whole or not at all. */
  static install(): ClientPrograms {
    removeDead();
    const root = findRoot(true);
    if (root === undefined) throw new FairleadError('no-bpf', 'there is no BPF file system');
    const cookie = netnsCookie();
    const directory = directoryIn(root, cookie);
    const unfinished = `${directory}_new`;
    if (existsSync(unfinished)) removeDirectory(unfinished);
    if (!isWhole(directory)) build(unfinished, directory, cookie);
    return new ClientPrograms(directory);
  }

  believes(director: string): boolean {
    const wanted = this.#key(toPrefix(director));
    return [...this.#directors.entries()].some(([key]) => key.equals(wanted));
  }

  believe(director: string): void {
    this.#directors.update(this.#key(toPrefix(director)), Buffer.alloc(this.#directors.valueBytes));
  }

  /** False when it was not believed anyway. */
  doubt(director: string): boolean {
    if (!this.believes(director)) return false;
    this.#directors.delete(this.#key(toPrefix(director)));
    return true;
  }

  isOn(ifindex: number): boolean {
    const { id } = this.#learner.info();
    return listTc(ifindex, 'ingress').some((filter) => filter.handle === handle && filter.programId === id);
  }

  /** Throws hook-busy when somebody else's program is in its slot. */
  attach(ifindex: number): void {
    attachTc(slotOf(ifindex), this.#learner, { replace: isOurs(ifindex) });
  }

  tales(): Tales {
    using map = BpfMap.openPinned(join(this.#directory, 'tales'));
    const count = (name: string): number => {
      const number = this.#layouts.enum('tale').get(name) ?? 0;
      const values = map?.lookup(Buffer.from(Uint32Array.of(number).buffer)) ?? Buffer.alloc(0);
      let sum = 0n;
      for (let at = 0; at < values.length; at += 8) sum += values.readBigUInt64LE(at);
      return Number(sum);
    };
    return {
      learned: count('TALE_LEARNED'),
      told: count('TALE_TOLD'),
      notFromDirector: count('TALE_NOT_FROM_DIRECTOR'),
    };
  }

  /** Longest prefix match over mapped addresses. */
  #key({ address, length }: Prefix): Buffer {
    const layout = this.#layouts.struct('prefix');
    const key = encode(layout, { length: address.family === 4 ? mappedBits + length : length });
    const bytes = address.family === 4 ? parseAddress(`::ffff:${[...address.bytes].join('.')}`).bytes : address.bytes;
    key.set(bytes, layout.field('address').offset);
    return key;
  }

  [Symbol.dispose](): void {
    for (const one of [this.#learner, this.#directors]) one[Symbol.dispose]();
  }
}

/** Off one interface. False when it was not there. */
export function detachClientProgram(ifindex: number): boolean {
  return isOurs(ifindex) && detachTc(slotOf(ifindex)).detached;
}

/** What is pinned; sockets that know their clients go on telling no one. False when there was nothing. */
export function removeClientPrograms(): boolean {
  const root = findRoot(false);
  if (root === undefined) return false;
  const directory = directoryIn(root, netnsCookie());
  const found = [directory, `${directory}_new`].filter((one) => existsSync(one));
  for (const one of found) removeDirectory(one);
  return found.length > 0;
}

/** What namespaces that are gone left pinned. */
function removeDead(): void {
  const root = findRoot(false);
  if (root === undefined) return;
  for (const name of readdirSync(root)) {
    if (!/^client_\d+(_new)?$/.test(name)) continue;
    const directory = join(root, name);
    using sentinel = BpfMap.openPinned(join(directory, sentinelName));
    if (sentinel !== undefined && !isNetnsAlive(sentinel)) removeDirectory(directory);
  }
}

function build(unfinished: string, directory: string, cookie: bigint): void {
  mkdirSync(unfinished, { mode: 0o700 });
  try {
    using sentinel = createNetnsSentinel(sentinelName);
    sentinel.pin(join(unfinished, sentinelName));
    using object = load(cookie, directory);
    for (const name of pinnedMaps) {
      using map = object.map(name);
      map.pin(join(unfinished, name));
    }
    using tales = object.map('tales');
    tales.pin(join(unfinished, buildName()));
    using learning = object.program(learner);
    learning.pin(join(unfinished, learner));
    const cgroup = findCgroupRoot();
    for (const [name, hook] of Object.entries(cgroupPrograms)) {
      using program = object.program(name);
      using link = BpfLink.attachCgroup(program, cgroup, hook);
      link.pin(join(unfinished, name));
    }
    for (const { index } of interfaces()) if (isOurs(index)) attachTc(slotOf(index), learning, { replace: true });
    if (existsSync(directory)) exchangeNames(directory, unfinished);
    else renameSync(unfinished, directory);
  } finally {
    if (existsSync(unfinished)) removeDirectory(unfinished);
  }
}

/** By which another build is told: nothing but maps and programs can be pinned, so a map has this name too. */
function buildName(): string {
  return `build_${createHash('sha256').update(readFileSync(objectPath)).digest('hex').slice(0, 16)}`;
}

/** With the maps that are pinned in the directory, as far as they are as large. */
function load(cookie: bigint, directory: string): BpfObject {
  if (!existsSync(objectPath)) {
    throw new FairleadError('no-bpf', `the programs are not built: ${objectPath} is missing`, {
      hint: 'run npm run build',
    });
  }
  const object = BpfObject.open(objectPath);
  try {
    const constants = object.constants();
    const { offset } = readLayouts(objectPath).variables('.rodata').field('netns_cookie');
    constants.writeBigUInt64LE(cookie, offset);
    object.setConstants(constants);
    for (const name of pinnedMaps) {
      using former = BpfMap.openPinned(join(directory, name));
      if (former !== undefined && object.isSized(name, former)) object.reuse(name, former);
    }
    object.load();
    return object;
  } catch (error) {
    object[Symbol.dispose]();
    throw error;
  }
}

function isWhole(directory: string): boolean {
  const names = [sentinelName, buildName(), learner, ...pinnedMaps, ...Object.keys(cgroupPrograms)];
  return names.every((name) => existsSync(join(directory, name)));
}

/** The sentinel last: until then whoever comes can tell whose it was. */
function removeDirectory(directory: string): void {
  const others = readdirSync(directory).filter((name) => name !== sentinelName);
  for (const name of [...others, sentinelName]) rmSync(join(directory, name), { force: true });
  rmdirSync(directory);
}

function findRoot(create: boolean): string | undefined {
  const place = findPlace(create);
  return place === undefined ? undefined : dirname(place.directory);
}

function directoryIn(root: string, cookie: bigint): string {
  return join(root, `client_${cookie}`);
}

function isOurs(ifindex: number): boolean {
  return listTc(ifindex, 'ingress').some(
    (filter) =>
      filter.priority === priority && filter.handle === handle && filter.programName?.startsWith(learner) === true,
  );
}

function slotOf(ifindex: number): TcSlot {
  return { ifindex, point: 'ingress', priority, handle };
}
