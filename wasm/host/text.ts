/** Room for the owner to put an input or an answer into. */
export function allocate(size: usize): usize {
  return heap.alloc(size)
}

/** Gives back what {@link allocate} gave. */
export function free(pointer: usize, _size: usize): void {
  heap.free(pointer)
}

/** The text that a function was called with. */
export function taken(pointer: usize, length: usize): string {
  return String.UTF8.decodeUnsafe(pointer, length)
}

/** A text as the result of a function: a pointer and a length, in one number. */
export function given(text: string): u64 {
  const length = String.UTF8.byteLength(text)
  const pointer = heap.alloc(length)
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, pointer)
  return ((pointer as u64) << 32) | (length as u64)
}
