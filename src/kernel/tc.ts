// TC attachments: direct-action programs in a clsact qdisc, with a fixed priority and handle each.
import { FairleadError } from '../model/error.ts';
import { encode } from './codec.ts';
import { check, EEXIST, EINVAL, ENOENT, kernelError } from './errno.ts';
import { interfaceName, requireInterface } from './interfaces.ts';
import { cStruct } from './layout.ts';
import * as libbpf from './libbpf.ts';
import { dump, readAttributes, textAttribute } from './netlink.ts';
import type { BpfProgram } from './program.ts';

export type TcPoint = 'ingress' | 'egress';

/** Where a program of ours sits: the caller chooses priority and handle, both at least 1. */
export interface TcSlot {
  readonly ifindex: number;
  readonly point: TcPoint;
  readonly priority: number;
  readonly handle: number;
}

export interface TcFilter {
  readonly priority: number;
  readonly handle: number;
  /** bpf, flower, u32, ... */
  readonly kind: string;
  /** Of a BPF filter. */
  readonly programId: number | undefined;
  readonly programName: string | undefined;
}

const points: Readonly<Record<TcPoint, number>> = { ingress: 1, egress: 2 };
const bothPoints = 3;
const BPF_TC_F_REPLACE = 1;
const hookLayout = cStruct('bpf_tc_hook', [
  ['sz', 'u64'],
  ['ifindex', 's32'],
  ['attach_point', 'u32'],
  ['parent', 'u32'],
]);
const optionsLayout = cStruct('bpf_tc_opts', [
  ['sz', 'u64'],
  ['prog_fd', 's32'],
  ['flags', 'u32'],
  ['prog_id', 'u32'],
  ['handle', 'u32'],
  ['priority', 'u32'],
]);

const RTM_GETQDISC = 38;
const RTM_GETTFILTER = 46;
const TC_H_CLSACT = 0xffff_fff1;
const parents: Readonly<Record<TcPoint, number>> = { ingress: 0xffff_fff2, egress: 0xffff_fff3 };
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_NAME = 7;
const TCA_BPF_ID = 11;
const tcmsg = cStruct('tcmsg', [
  ['family', 'u8'],
  ['pad1', 'u8'],
  ['pad2', 'u16'],
  ['ifindex', 's32'],
  ['handle', 'u32'],
  ['parent', 'u32'],
  ['info', 'u32'],
]);

/**
 * Attaches, or with `replace` puts the program in the place of the one in this slot: every packet meets the old or the new.
 * Tells whether the clsact qdisc had to be made; who attached first keeps that, for `detachTc`.
 */
export function attachTc(
  slot: TcSlot,
  program: BpfProgram,
  { replace = false } = {},
): { readonly createdQdisc: boolean } {
  requireInterface(slot.ifindex);
  const createdQdisc = createClsact(slot.ifindex);
  const options = encode(optionsLayout, {
    sz: optionsLayout.size,
    prog_fd: program.fd,
    flags: replace ? BPF_TC_F_REPLACE : 0,
    handle: slot.handle,
    priority: slot.priority,
  });
  const result = libbpf.tcAttach(hook(slot), options);
  if (result < 0) {
    if (createdQdisc) destroyClsact(slot.ifindex);
    throw attachError(-result, slot);
  }
  return { createdQdisc };
}

/** Id of the program in this slot. */
export function queryTc(slot: TcSlot): number | undefined {
  return listTc(slot.ifindex, slot.point).find(
    ({ priority, handle }) => priority === slot.priority && handle === slot.handle,
  )?.programId;
}

/** All filters at one point of an interface, be they ours or not. */
export function listTc(ifindex: number, point: TcPoint): TcFilter[] {
  return dumpFilters(ifindex, point)
    .map(toFilter)
    .filter(({ handle }) => handle !== 0);
}

/**
 * Empties the slot. With `removeQdisc` the clsact qdisc goes too, unless somebody else has filters in it. Nothing happens when
 * there is nothing to do.
 */
export function detachTc(
  slot: TcSlot,
  { removeQdisc = false } = {},
): { readonly detached: boolean; readonly removedQdisc: boolean } {
  const options = encode(optionsLayout, { sz: optionsLayout.size, handle: slot.handle, priority: slot.priority });
  const occupied = queryTc(slot) !== undefined;
  const result = occupied ? libbpf.tcDetach(hook(slot), options) : -ENOENT;
  if (result !== -ENOENT) check('bpf_tc_detach', result, describe(slot));
  return { detached: result === 0, removedQdisc: removeQdisc && removeUnusedClsact(slot.ifindex) };
}

/** Whether attachTc finds the qdisc that it needs. */
export function hasClsact(ifindex: number): boolean {
  return qdiscAtIngress(ifindex) === 'clsact';
}

/** The clsact qdisc goes unless a filter is in it. Tells whether it went. */
export function removeUnusedClsact(ifindex: number): boolean {
  if (qdiscAtIngress(ifindex) !== 'clsact') return false;
  if (dumpFilters(ifindex, 'ingress').length + dumpFilters(ifindex, 'egress').length > 0) return false;
  destroyClsact(ifindex);
  return true;
}

/** What attachTc would refuse this slot for, as far as one can tell without trying. */
export function obstacleToTc(slot: TcSlot): FairleadError | undefined {
  const present = qdiscAtIngress(slot.ifindex);
  if (present === undefined) return undefined;
  return present === 'clsact' ? otherFilter(slot) : otherQdisc(slot.ifindex, present);
}

function createClsact(ifindex: number): boolean {
  const present = qdiscAtIngress(ifindex);
  if (present === 'clsact') return false;
  if (present !== undefined) throw otherQdisc(ifindex, present);
  const result = libbpf.tcHookCreate(encode(hookLayout, { sz: hookLayout.size, ifindex, attach_point: bothPoints }));
  if (result === -EEXIST) return false;
  check('bpf_tc_hook_create', result, `interface ${interfaceName(ifindex)}`);
  return true;
}

/** Filters for egress would silently see ingress there. */
function otherQdisc(ifindex: number, present: string): FairleadError {
  const name = interfaceName(ifindex);
  return new FairleadError('hook-busy', `interface ${name} has the qdisc ${present} where clsact is needed`, {
    hint: `remove it: tc qdisc del dev ${name} ingress`,
  });
}

function destroyClsact(ifindex: number): void {
  const result = libbpf.tcHookDestroy(encode(hookLayout, { sz: hookLayout.size, ifindex, attach_point: bothPoints }));
  if (result !== -ENOENT && result !== -EINVAL)
    check('bpf_tc_hook_destroy', result, `interface ${interfaceName(ifindex)}`);
}

/** `clsact` or `ingress`: both take the same place, and only one can be there. */
function qdiscAtIngress(ifindex: number): string | undefined {
  const found = dump(RTM_GETQDISC, encode(tcmsg, { ifindex })).find(
    (message) =>
      message.readInt32LE(tcmsg.field('ifindex').offset) === ifindex &&
      message.readUInt32LE(tcmsg.field('parent').offset) === TC_H_CLSACT,
  );
  return found === undefined ? undefined : textAttribute(readAttributes(found.subarray(tcmsg.size)).get(TCA_KIND));
}

/** Beside each filter also, with handle 0, each classifier that holds filters or is one itself. */
function dumpFilters(ifindex: number, point: TcPoint): Buffer[] {
  return dump(RTM_GETTFILTER, encode(tcmsg, { ifindex, parent: parents[point] }));
}

function toFilter(message: Buffer): TcFilter {
  const attributes = readAttributes(message.subarray(tcmsg.size));
  const options = readAttributes(attributes.get(TCA_OPTIONS));
  return {
    priority: message.readUInt32LE(tcmsg.field('info').offset) >>> 16,
    handle: message.readUInt32LE(tcmsg.field('handle').offset),
    kind: textAttribute(attributes.get(TCA_KIND)) ?? '',
    programId: options.get(TCA_BPF_ID)?.readUInt32LE(),
    programName: textAttribute(options.get(TCA_BPF_NAME)),
  };
}

function hook({ ifindex, point }: TcSlot): Buffer {
  return encode(hookLayout, { sz: hookLayout.size, ifindex, attach_point: points[point] });
}

function attachError(errno: number, slot: TcSlot): FairleadError {
  const cause = kernelError('bpf_tc_attach', errno, describe(slot));
  if (errno !== EEXIST && errno !== EINVAL) return cause;
  return otherFilter(slot, cause) ?? cause;
}

/** One that has this slot, or makes its priority no place for BPF. */
function otherFilter(slot: TcSlot, cause?: FairleadError): FairleadError | undefined {
  const other = listTc(slot.ifindex, slot.point).find(
    ({ priority, handle, kind }) => priority === slot.priority && (handle === slot.handle || kind !== 'bpf'),
  );
  if (other === undefined) return undefined;
  const name = other.programName === undefined ? '' : ` ${other.programName}`;
  const message = `${describe(slot)} is taken by a filter of kind ${other.kind}${name}`;
  return new FairleadError('hook-busy', message, cause === undefined ? {} : { cause });
}

function describe({ ifindex, point, priority, handle }: TcSlot): string {
  return `interface ${interfaceName(ifindex)} ${point} priority ${priority} handle ${handle}`;
}
