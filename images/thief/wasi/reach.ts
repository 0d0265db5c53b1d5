/** Attempts that touch: files by every way there is, the network, the kernel. */
import { writeText } from '../../../wasm/wasi/console'
import { errnoName } from '../../../wasm/wasi/errno'
import { APPEND, close, makeDirectory, open, symlink, unlink } from '../../../wasm/wasi/files'
import { path_open, sock_accept, sock_send } from '../../../wasm/wasi/preview1'
import { Errand } from './errand'
import { GOT, REFUSED, Result, SKIPPED } from './report'

const RIGHT_READ: u64 = 1 << 1
const RIGHT_WRITE: u64 = 1 << 6
const FIRST_DESCRIPTOR: i32 = 3
const LAST_DESCRIPTOR: i32 = 63
const ABOVE: string = '../../../../../../../..'
const result = memory.data(16)

/** Name of the way by which the last {@link reachOpen} came through. */
export let way: string = ''

/** Opens `path` by every way there is; a descriptor, or the negative errno of the plain way. */
export function reachOpen(errand: Errand, path: string, write: bool): i32 {
  way = 'its path'
  const plain = open(path, write, 0, write ? APPEND : 0)
  if (plain >= 0) return plain
  way = 'an absolute path'
  let descriptor = throughDescriptors(path, write)
  if (descriptor >= 0) return descriptor
  way = 'a path above the root'
  descriptor = throughDescriptors(ABOVE + path, write)
  if (descriptor >= 0) return descriptor
  way = 'the root of process 1'
  descriptor = open('/proc/1/root' + path, write, 0, write ? APPEND : 0)
  if (descriptor >= 0) return descriptor
  way = 'a symlink'
  const targets: StaticArray<string> = [path, ABOVE + path]
  for (let index = 0; index < targets.length; index++) {
    descriptor = throughSymlink(errand, targets[index], '', write)
    if (descriptor >= 0) return descriptor
  }
  way = 'a symlink to the root'
  const roots: StaticArray<string> = ['/', ABOVE]
  for (let index = 0; index < roots.length; index++) {
    descriptor = throughSymlink(errand, roots[index], path, write)
    if (descriptor >= 0) return descriptor
  }
  return plain
}

// Every descriptor is tried and not only those that say they are preopened.
function throughDescriptors(path: string, write: bool): i32 {
  const bytes = String.UTF8.encode(path)
  const rights = write ? RIGHT_WRITE : RIGHT_READ
  for (let fd = FIRST_DESCRIPTOR; fd <= LAST_DESCRIPTOR; fd++) {
    const errno = path_open(fd, 1, changetype<usize>(bytes), bytes.byteLength, 0, rights, 0, write ? APPEND : 0, result)
    if (errno == 0) return load<i32>(result)
  }
  return -1
}

function throughSymlink(errand: Errand, target: string, rest: string, write: bool): i32 {
  if (errand.scratch == '') return -1
  const link = errand.scratch + '/thief.link'
  makeDirectory(errand.scratch)
  unlink(link)
  if (symlink(target, link) != 0) return -1
  const descriptor = open(link + rest, write, 0, write ? APPEND : 0)
  unlink(link)
  return descriptor
}

export function reachOutside(errand: Errand): Result {
  if (errand.outside == '') return new Result(SKIPPED, 0, 0, 'no outside=')
  // Never created: a file that does not exist already is none of the user's.
  const descriptor = reachOpen(errand, errand.outside, true)
  if (descriptor < 0) return new Result(REFUSED, 0, 1, errnoName(-descriptor))
  const errno = writeText(descriptor, '# the thief was here\n')
  close(descriptor)
  return errno == 0 ? new Result(GOT, 1, 1, 'by ' + way) : new Result(REFUSED, 0, 1, errnoName(errno))
}

/** preview1 has no call that opens a connection; what it has is tried on every descriptor. */
export function reachNetwork(errand: Errand): Result {
  if (errand.port == 0) return new Result(SKIPPED, 0, 0, 'no port=')
  const loot = String.UTF8.encode('loot\n')
  store<u32>(result, <u32>changetype<usize>(loot))
  store<u32>(result, <u32>loot.byteLength, 4)
  for (let fd = FIRST_DESCRIPTOR; fd <= LAST_DESCRIPTOR; fd++) {
    if (sock_send(fd, result, 1, 0, result + 8) == 0) return new Result(GOT, 1, 1, 'an inherited socket')
    if (sock_accept(fd, 0, result + 8) == 0) return new Result(GOT, 1, 1, 'an inherited listener')
  }
  return new Result(REFUSED, 0, 1, 'no connect in WASI')
}

/** A module has no system calls: whatever it does not import does not exist for it. */
export function reachKernel(_errand: Errand): Result {
  return new Result(REFUSED, 0, 0, 'no syscalls in WASI')
}
