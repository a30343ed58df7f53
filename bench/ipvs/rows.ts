// Rows and limits of what the emulated machine counted.
import { findRow, type Limit, limitOf, medianFigure, type Row } from '../row.ts';
import type { Step } from './steps.ts';

/** What a packet takes that is dropped on arrival is subtracted, by hook: at XDP, in volleys of as many frames. */
export function packetRows(steps: readonly Step[]): readonly Row[] {
  const rows = steps.map(({ name, what, rounds }): Row => {
    const floor = name.startsWith('bare dropped') ? 0 : floorOf(steps, name, what);
    const net = rounds.map((one) => one - floor);
    return { name, flows: Number(what), unit: 'instructions', ...medianFigure(net) };
  });
  return rows.map((row) => besideIpvs(row, rows));
}

function floorOf(steps: readonly Step[], name: string, flows: string): number {
  const hook = name.endsWith(', XDP') ? 'XDP' : 'TC';
  const frames = hook === 'XDP' && / new,/.test(name) ? flows : '1';
  const floor = steps.find((step) => step.name === `bare dropped, ${hook}` && step.what === frames);
  if (floor === undefined) throw new Error(`there is no packet that is dropped beside ${name}`);
  return medianFigure(floor.rounds).median;
}

const ofFairlead = /^fairlead (\w+ \w+), (TC|XDP)$/;

function besideIpvs(row: Row, all: readonly Row[]): Row {
  const [, what] = ofFairlead.exec(row.name) ?? [];
  const to = `ipvs ${what}`;
  const other = findRow(all, to, row.flows === undefined ? {} : { flows: row.flows });
  return other === undefined ? row : { ...row, ratio: { to, is: row.median / other.median } };
}

export function packetLimits(rows: readonly Row[]): readonly Limit[] {
  const most: Readonly<Record<string, number>> = { gate: 1 / 3, masq: 1 / 3, tunnel: 1 / 5 };
  return rows.flatMap(({ name, flows, ratio }) => {
    const [, what = '', hook] = ofFairlead.exec(name) ?? [];
    const [method = '', state] = what.split(' ');
    const atMost = state === 'new' ? 1 / 2 : most[method];
    if (ratio === undefined || atMost === undefined) return [];
    return [{ claim: `${what}, ${hook}, ${flows} flows, to IPVS's`, atMost, got: ratio.is }];
  });
}

/** A connection and a request: whole, and what they take more than by the bare redirect. */
export function askedRows(steps: readonly Step[]): readonly Row[] {
  const rows = steps.flatMap(({ name, what, rounds }): readonly Row[] => {
    const whole = { name: `${name}, a ${what}`, unit: 'instructions', ...medianFigure(rounds) };
    const base = steps.find((step) => step.name === 'bare redirect' && step.what === what)?.rounds;
    if (base === undefined) throw new Error(`there is no bare redirect beside ${name}`);
    if (name === 'no director' || name === 'bare redirect') return [whole];
    const middle = medianFigure(base).median;
    const more = medianFigure(rounds.map((one) => one - middle));
    return [whole, { name: `${name}, added a ${what}`, unit: 'instructions added', ...more }];
  });
  return rows.map((row) => besideNftables(row, rows));
}

function besideNftables(row: Row, all: readonly Row[]): Row {
  const to = `nftables DNAT${row.name.slice(row.name.lastIndexOf(', '))}`;
  const other = to === row.name ? undefined : findRow(all, to);
  return other === undefined ? row : { ...row, ratio: { to, is: row.median / other.median } };
}

export function askedLimits(rows: readonly Row[]): readonly Limit[] {
  const what = 'added a connection';
  const own = rows.filter(({ name }) => name.startsWith('Fairlead ') && name.endsWith(`, ${what}`));
  return own.flatMap((row) => [
    ...limitOf(`${row.name}, to nftables DNAT's`, [row, findRow(rows, `nftables DNAT, ${what}`)], { atMost: 1 / 5 }),
    ...limitOf(`${row.name}, to HAProxy's`, [row, findRow(rows, `HAProxy, ${what}`)], { atMost: 1 / 40 }),
  ]);
}
