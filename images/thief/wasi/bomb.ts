/** Attempts that use up: processes, disk, memory. Each has a bound and gives back what it can. */
import { writeAll } from '../../../wasm/wasi/console'
import { errnoName } from '../../../wasm/wasi/errno'
import { CREATE, TRUNCATE, close, makeDirectory, open, unlink } from '../../../wasm/wasi/files'
import { Errand } from './errand'
import { GOT, REFUSED, Result, SKIPPED, STOPPED } from './report'

const PAGES_IN_MIB: i32 = 16
const BLOCKS_IN_MIB: i32 = 16
const BLOCK_BYTES: i32 = 65536
const RESERVE_BYTES: usize = 262144

/** preview1 has no call that makes a process. */
export function bombProcesses(errand: Errand): Result {
  if (errand.forks == 0) return new Result(SKIPPED, 0, 0, 'no forks=')
  return new Result(REFUSED, 0, errand.forks, 'no fork in WASI')
}

export function bombDisk(errand: Errand): Result {
  if (errand.diskMib == 0 || errand.scratch == '') return new Result(SKIPPED, 0, 0, 'no disk= or scratch=')
  const path = errand.scratch + '/thief.fill'
  makeDirectory(errand.scratch)
  const descriptor = open(path, true, CREATE | TRUNCATE)
  if (descriptor < 0) return new Result(REFUSED, 0, errand.diskMib, errnoName(-descriptor))
  const block = new ArrayBuffer(BLOCK_BYTES)
  memory.fill(changetype<usize>(block), 120, BLOCK_BYTES)
  let blocks = 0
  let errno = 0
  while (blocks < errand.diskMib * BLOCKS_IN_MIB && errno == 0) {
    errno = writeAll(descriptor, changetype<usize>(block), BLOCK_BYTES)
    if (errno == 0) blocks++
  }
  close(descriptor)
  unlink(path)
  if (errno == 0) return new Result(GOT, errand.diskMib, errand.diskMib, 'MiB')
  return new Result(STOPPED, blocks / BLOCKS_IN_MIB, errand.diskMib, errnoName(errno))
}

export function bombMemory(errand: Errand): Result {
  if (errand.memoryMib == 0) return new Result(SKIPPED, 0, 0, 'no memory=')
  // Kept back, or there would be no memory left to tell of it.
  const reserve = heap.alloc(RESERVE_BYTES)
  let reached = 0
  while (reached < errand.memoryMib) {
    const page = memory.grow(PAGES_IN_MIB)
    if (page < 0) break
    memory.fill((<usize>page) << 16, 1, PAGES_IN_MIB << 16)
    reached++
  }
  heap.free(reserve)
  if (reached < errand.memoryMib) return new Result(STOPPED, reached, errand.memoryMib, 'memory.grow')
  return new Result(GOT, errand.memoryMib, errand.memoryMib, 'MiB')
}
