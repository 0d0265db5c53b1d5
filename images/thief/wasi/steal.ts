/** Attempts that read: keys, secrets in the environment, the machine's name, other processes. */
import { readInto } from '../../../wasm/wasi/console'
import { errnoName } from '../../../wasm/wasi/errno'
import { close, lastErrno, readDirectory, readFile } from '../../../wasm/wasi/files'
import { environment } from '../../../wasm/wasi/process'
import { Errand } from './errand'
import { reachOpen, way } from './reach'
import { GOT, REFUSED, Result, SKIPPED } from './report'

const KEY_FILES: StaticArray<string> = ['.ssh/id_ed25519', '.aws/credentials', '.netrc']
const buffer = memory.data(4096)

export function stealKeys(errand: Errand): Result {
  if (errand.home == '') return new Result(SKIPPED, 0, 0, 'no home=')
  let files = 0
  let errno = 0
  let firstWay = ''
  for (let index = 0; index < KEY_FILES.length; index++) {
    const descriptor = reachOpen(errand, errand.home + '/' + KEY_FILES[index], false)
    if (descriptor < 0) {
      errno = -descriptor
      continue
    }
    if (firstWay == '') firstWay = way
    if (drain(descriptor) > 0) files++
  }
  if (files > 0) return new Result(GOT, files, KEY_FILES.length, 'by ' + firstWay)
  return new Result(REFUSED, 0, KEY_FILES.length, errnoName(errno))
}

// Bytes that `descriptor` gives, read and forgotten.
function drain(descriptor: i32): i64 {
  let total: i64 = 0
  for (;;) {
    const count = readInto(descriptor, buffer, 4096)
    if (count <= 0) break
    total += count
  }
  close(descriptor)
  return total
}

export function stealEnvironment(errand: Errand): Result {
  if (errand.secret == '') return new Result(SKIPPED, 0, 0, 'no secret=')
  const own = environment()
  for (let index = 0; index < own.length; index++)
    if (own[index].startsWith(errand.secret + '=')) return new Result(GOT, 1, 1, 'its own')
  const names = processNames()
  for (let index = 0; index < names.length; index++) {
    const bytes = readFile('/proc/' + names[index] + '/environ')
    if (bytes === null) continue
    const text = '\0' + String.UTF8.decode(bytes)
    if (text.includes('\0' + errand.secret + '=')) return new Result(GOT, 1, 1, "another process's")
  }
  return new Result(REFUSED, 0, 1, 'not there')
}

export function stealHostname(errand: Errand): Result {
  if (errand.hostname == '') return new Result(SKIPPED, 0, 0, 'no hostname=')
  const files: StaticArray<string> = ['/etc/hostname', '/proc/sys/kernel/hostname']
  for (let index = 0; index < files.length; index++) {
    const bytes = readFile(files[index])
    if (bytes !== null && String.UTF8.decode(bytes).trim() == errand.hostname) return new Result(GOT, 1, 1, files[index])
  }
  return new Result(REFUSED, 0, 1, 'another name')
}

export function stealProcesses(_errand: Errand): Result {
  const names = processNames()
  if (names.length > 0) return new Result(GOT, names.length, names.length, 'of others')
  return new Result(REFUSED, 0, 0, errnoName(lastErrno))
}

// A module is no process, so every one it sees is another's.
function processNames(): string[] {
  const names: string[] = []
  const entries = readDirectory('/proc')
  if (entries === null) return names
  for (let index = 0; index < entries.length; index++) {
    const first = entries[index].name.charCodeAt(0)
    if (first >= 48 && first <= 57) names.push(entries[index].name)
  }
  return names
}
