// flow.control taken apart and put together: what an entry of the connection table is, by enum flow_control.
import type { Numbers } from './vocabulary.ts';

export interface ControlWord {
  readonly kind: number;
  /** From home. */
  readonly offset: number;
  readonly state: number;
  readonly method: number;
  readonly isInactive: boolean;
  /** Its addresses are of IPv6. */
  readonly isSix: boolean;
  /** Its `partner` is its extension. */
  readonly isExtended: boolean;
  /** Changes each time the slot is claimed. */
  readonly generation: number;
}

export interface Control {
  kind(word: number): number;
  decode(word: number): ControlWord;
  encode(control: ControlWord): number;
  /** Of the same kind, and from the same claim of its slot. */
  isSameEntry(a: number, b: number): boolean;
}

export function controlOf(numbers: Numbers): Control {
  const { FLOW_KIND_MASK, FLOW_INACTIVE, FLOW_GENERATION_SHIFT, FLOW_BELOW_GENERATION } = numbers;
  const { FLOW_OFFSET_SHIFT, FLOW_OFFSET_MASK, FLOW_STATE_SHIFT, FLOW_STATE_MASK } = numbers;
  const { FLOW_METHOD_SHIFT, FLOW_METHOD_MASK, FLOW_SIX, FLOW_EXTENDED } = numbers;
  return {
    kind: (word) => word & FLOW_KIND_MASK,
    decode: (word) => ({
      kind: word & FLOW_KIND_MASK,
      offset: (word >>> FLOW_OFFSET_SHIFT) & FLOW_OFFSET_MASK,
      state: (word >>> FLOW_STATE_SHIFT) & FLOW_STATE_MASK,
      method: (word >>> FLOW_METHOD_SHIFT) & FLOW_METHOD_MASK,
      isInactive: (word & FLOW_INACTIVE) !== 0,
      isSix: (word & FLOW_SIX) !== 0,
      isExtended: (word & FLOW_EXTENDED) !== 0,
      generation: word >>> FLOW_GENERATION_SHIFT,
    }),
    encode: ({ kind, offset, state, method, isInactive, isSix, isExtended, generation }) =>
      (kind |
        (offset << FLOW_OFFSET_SHIFT) |
        (state << FLOW_STATE_SHIFT) |
        (method << FLOW_METHOD_SHIFT) |
        (isInactive ? FLOW_INACTIVE : 0) |
        (isSix ? FLOW_SIX : 0) |
        (isExtended ? FLOW_EXTENDED : 0) |
        (generation << FLOW_GENERATION_SHIFT)) >>>
      0,
    isSameEntry: (a, b) => ((a ^ b) & (FLOW_KIND_MASK | ~FLOW_BELOW_GENERATION)) === 0,
  };
}
