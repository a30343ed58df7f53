// Where rr and wrr go on after a service's list of destinations was edited: the 64-bit word that packets then move on.
import type { Scheduler } from '../model/service.ts';
import { descentOf } from './descent.ts';
import { type Listed, listEdits } from './edits.ts';

/** Whether it goes on from a place at all. */
export function hasCursor(scheduler: Scheduler): boolean {
  return scheduler === 'rr' || scheduler === 'wrr';
}

/** The word of a scheduler that has just been chosen for these destinations. */
export function freshCursor(scheduler: Scheduler, weights: readonly number[]): bigint {
  return scheduler === 'wrr' ? encode({ position: 0, currentWeight: descentOf(weights).maxWeight }) : 0n;
}

/** Source: ip_vs_rr_del_dest and ip_vs_wrr_dest_changed, applied for each edit in turn. */
export function movedCursor(
  scheduler: Scheduler,
  cursor: bigint,
  before: readonly Listed[],
  after: readonly Listed[],
): bigint {
  if (scheduler === 'rr') return movedRoundRobin(cursor, before, after);
  if (scheduler === 'wrr') return movedWeighted(cursor, before, after);
  return 0n;
}

/** Low 32 bits: position of the destination chosen last, counted from 1, 0 = none. High 32 bits: wrr's current weight. */
interface Cursor {
  position: number;
  currentWeight: number;
}

function movedRoundRobin(cursor: bigint, before: readonly Listed[], after: readonly Listed[]): bigint {
  let position = Math.min(decode(cursor).position, before.length);
  for (const edit of listEdits(before, after)) {
    // Whoever is chosen next stays the same: a deleted cursor steps back, and 0 is the head of the list itself.
    if (edit.kind === 'delete' && edit.at < position) position--;
    if (edit.kind === 'add' && position > 0) position++;
  }
  return encode({ position, currentWeight: 0 });
}

function movedWeighted(cursor: bigint, before: readonly Listed[], after: readonly Listed[]): bigint {
  const edits = listEdits(before, after);
  if (edits.length === 0) return cursor;
  const weights = before.map((destination) => destination.weight);
  let { currentWeight } = decode(cursor);
  for (const edit of edits) {
    if (edit.kind === 'delete') weights.splice(edit.at, 1);
    else if (edit.kind === 'edit') weights[edit.at] = edit.weight;
    else weights.unshift(edit.weight);
    currentWeight = adjusted(currentWeight, weights);
  }
  return encode({ position: 0, currentWeight });
}

function adjusted(currentWeight: number, weights: readonly number[]): number {
  const { maxWeight, weightStep } = descentOf(weights);
  if (currentWeight > maxWeight || currentWeight === 0) return maxWeight;
  return weightStep > 1 ? Math.floor(currentWeight / weightStep) * weightStep + 1 : currentWeight;
}

function decode(cursor: bigint): Cursor {
  return { position: Number(cursor & 0xffffffffn), currentWeight: Number(cursor >> 32n) };
}

function encode({ position, currentWeight }: Cursor): bigint {
  return (BigInt(currentWeight) << 32n) | BigInt(position);
}
