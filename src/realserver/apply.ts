// Makes one change and undoes one. Undoing leaves alone what somebody else changed meanwhile, and what is gone already.
import { interfaces } from '../kernel/interfaces.ts';
import { writeSysctl } from '../kernel/sysctl.ts';
import { removeUnusedClsact } from '../kernel/tc.ts';
import { FairleadError } from '../model/error.ts';
import {
  arpRuleKey,
  hasArpChain,
  hasArpTable,
  readArpRules,
  removeUnusedArpChain,
  removeUnusedArpTable,
} from './arptables.ts';
import { type Change, hostPrefix, type InterfaceRef, type SettingChange, tunnelOf } from './change.ts';
import { ClientPrograms, detachClientProgram, removeClientPrograms } from './clients.ts';
import { run } from './command.ts';
import { type Decapsulator, detachFrom } from './decapsulator.ts';
import { readAddresses, readSetting, settingPath } from './system.ts';
import { isSix } from './tunnel.ts';

/** `gone`: there was nothing to undo. `left`: it is not as it was made, so it is somebody else's by now. */
export type Undone = 'undone' | 'gone' | 'left';

/** `decapsulator`: needed by what only it does. */
export function make(change: Change, decapsulator: Decapsulator | undefined): void {
  switch (change.kind) {
    case 'setting':
      writeSetting(change, change.after);
      break;
    case 'address':
      run(['ip', 'address', 'add', hostPrefix(change.vip), 'dev', 'lo', ...addressOptions(change.vip)]);
      break;
    case 'qdisc':
      break; // attaching, which is next, makes it
    case 'arp-table':
    case 'arp-chain':
      break; // the first rule in it makes it
    case 'arp-rule':
      run(['arptables', '-I', change.chain, ...change.rule]);
      break;
    case 'filter':
      loaded(decapsulator).attach(change.interface.index, change.point);
      break;
    case 'decapsulation':
      loaded(decapsulator).take(change.vip, tunnelOf(change));
      break;
    case 'path-mtu':
      loaded(decapsulator).setPathMtu(change.vip, change.mtu);
      break;
    case 'clients':
      ClientPrograms.install()[Symbol.dispose]();
      break;
    case 'learner':
      withClients((clients) => clients.attach(change.interface.index));
      break;
    case 'director':
      withClients((clients) => clients.believe(change.director));
  }
}

/** May be repeated. Without a decapsulator what only it knows is gone. */
export function undo(change: Change, decapsulator: Decapsulator | undefined): Undone {
  switch (change.kind) {
    case 'setting':
      return undoSetting(change);
    case 'address':
      return undoAddress(change.vip);
    case 'arp-rule':
      if (!readArpRules().includes(arpRuleKey(change.chain, change.rule))) return 'gone';
      run(['arptables', '-D', change.chain, ...change.rule]);
      return 'undone';
    case 'arp-chain':
      if (!hasArpChain(change.chain)) return 'gone';
      return removeUnusedArpChain(change.chain) ? 'undone' : 'left';
    case 'arp-table':
      if (!hasArpTable()) return 'gone';
      return removeUnusedArpTable() ? 'undone' : 'left';
    case 'qdisc':
      if (!isThere(change.interface)) return 'gone';
      return removeUnusedClsact(change.interface.index) ? 'undone' : 'left';
    case 'filter':
      return isThere(change.interface) && detachFrom(change.interface.index, change.point) ? 'undone' : 'gone';
    case 'decapsulation':
      if (decapsulator?.takes(change.vip, tunnelOf(change)) !== true) return 'gone';
      decapsulator.leave(change.vip, tunnelOf(change));
      return 'undone';
    case 'path-mtu':
      return decapsulator?.forgetPathMtu(change.vip) === true ? 'undone' : 'gone';
    case 'clients':
      return removeClientPrograms() ? 'undone' : 'gone';
    case 'learner':
      return isThere(change.interface) && detachClientProgram(change.interface.index) ? 'undone' : 'gone';
    case 'director': {
      using clients = ClientPrograms.open();
      return clients?.doubt(change.director) === true ? 'undone' : 'gone';
    }
  }
}

function loaded(decapsulator: Decapsulator | undefined): Decapsulator {
  if (decapsulator === undefined) throw new Error('a tunnel was planned without its program');
  return decapsulator;
}

function withClients(work: (clients: ClientPrograms) => void): void {
  using clients = ClientPrograms.open();
  if (clients === undefined) throw new Error('a learner was planned without its programs');
  work(clients);
}

/** IPv6 has no scope that would keep it from being chosen as a source, but avoids what is deprecated. */
function addressOptions(vip: string): readonly string[] {
  return isSix(vip) ? ['nodad', 'preferred_lft', '0'] : ['scope', 'host'];
}

function undoSetting(change: SettingChange): Undone {
  const name = currentName(change.interface);
  if (name === undefined) return 'gone';
  const now = readSetting(name, change.name);
  if (now === change.before) return 'gone';
  if (now !== change.after) return 'left';
  writeSetting(change, change.before);
  return 'undone';
}

function undoAddress(vip: string): Undone {
  if (!readAddresses().some((one) => one.interface === 'lo' && one.address === vip)) return 'gone';
  run(['ip', 'address', 'del', hostPrefix(vip), 'dev', 'lo']);
  return 'undone';
}

function writeSetting({ interface: where, name }: SettingChange, value: string): void {
  const known = currentName(where);
  if (known === undefined)
    throw new FairleadError('interface-missing', `interface ${where === 'all' ? where : where.name} is gone`);
  writeSysctl(settingPath(known, name), value);
}

/** It may have been renamed. undefined when it is gone. */
function currentName(where: InterfaceRef | 'all'): string | undefined {
  return where === 'all' ? 'all' : interfaces().find(({ index }) => index === where.index)?.name;
}

function isThere(where: InterfaceRef): boolean {
  return currentName(where) !== undefined;
}
