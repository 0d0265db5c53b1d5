import { args_get, args_sizes_get, environ_get, environ_sizes_get, proc_exit } from './preview1'

/** The arguments, the program's own name first. */
export function args(): string[] {
  const sizes = new StaticArray<u32>(2)
  args_sizes_get(changetype<usize>(sizes), changetype<usize>(sizes) + 4)
  const pointers = new StaticArray<u32>(sizes[0])
  const bytes = new StaticArray<u8>(sizes[1])
  args_get(changetype<usize>(pointers), changetype<usize>(bytes))
  return texts(pointers)
}

/** The environment as `NAME=value`, in the host's order. */
export function environment(): string[] {
  const sizes = new StaticArray<u32>(2)
  environ_sizes_get(changetype<usize>(sizes), changetype<usize>(sizes) + 4)
  const pointers = new StaticArray<u32>(sizes[0])
  const bytes = new StaticArray<u8>(sizes[1])
  environ_get(changetype<usize>(pointers), changetype<usize>(bytes))
  return texts(pointers)
}

/** Ends the program. */
export function exit(code: i32): void {
  proc_exit(code)
}

function texts(pointers: StaticArray<u32>): string[] {
  const result: string[] = []
  for (let index = 0; index < pointers.length; index++) {
    const start = <usize>pointers[index]
    let end = start
    while (load<u8>(end) != 0) end++
    result.push(String.UTF8.decodeUnsafe(start, end - start))
  }
  return result
}
