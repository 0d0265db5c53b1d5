// What a test asks a guest to do, one command after another: `probe mkdir /a , write /a/b text , walk /a`.
import { monotonicNs, realtimeNs, sleepMs } from '../wasi/clock'
import { print, printError, readInto, writeAll } from '../wasi/console'
import { errnoName } from '../wasi/errno'
import * as files from '../wasi/files'
import { preopens } from '../wasi/path'
import { proc_raise, random_get, sock_shutdown } from '../wasi/preview1'
import { args, environment, exit } from '../wasi/process'

const buffer = memory.data(65536)

function main(): void {
  const words = args()
  let start = 1
  for (let index = 1; index <= words.length; index++) {
    if (index < words.length && words[index] != ',') continue
    if (index > start) run(words[start], words.slice(start + 1, index))
    start = index + 1
  }
}

function run(command: string, operands: string[]): void {
  if (command == 'exit') exit(number(operands, 0))
  else if (command == 'print') print(operands.join(' '))
  else if (command == 'print-error') printError(operands.join(' '))
  else if (command == 'args') lines(operands)
  else if (command == 'env') lines(environment())
  else if (command == 'preopens') lines(preopens())
  else if (command == 'echo') echo()
  else if (command == 'sleep') sleepMs(number(operands, 0))
  else if (command == 'clock') print(realtimeNs().toString() + ' ' + monotonicNs().toString())
  else if (command == 'random') random(number(operands, 0))
  else if (command == 'raise') report('raise', proc_raise(number(operands, 0)))
  else if (command == 'lie') lie()
  else if (command == 'loop') loop()
  else if (command == 'trap') unreachable()
  else if (command == 'recurse') print(recurse(1).toString())
  else if (command == 'memory') growMemory(number(operands, 0))
  else if (command == 'output') output(number(operands, 0))
  else if (command == 'open-many') openMany(operands[0], number(operands, 1))
  else if (command == 'socket') report('socket', sock_shutdown(number(operands, 0), 3))
  else onFiles(command, operands)
}

function onFiles(command: string, operands: string[]): void {
  const path = operands.length > 0 ? operands[0] : '.'
  if (command == 'cat') cat(path)
  else if (command == 'list') list(path)
  else if (command == 'walk') walk(path)
  else if (command == 'type') print(files.typeOf(path, false).toString())
  else if (command == 'size') print(files.sizeOf(path).toString())
  else if (command == 'write') report(path, files.writeFile(path, String.UTF8.encode(operands[1])))
  else if (command == 'append') report(path, files.writeFile(path, String.UTF8.encode(operands[1]), true))
  else if (command == 'fill') fill(path, number(operands, 1))
  else if (command == 'mkdir') report(path, files.makeDirectory(path))
  else if (command == 'rmdir') report(path, files.removeDirectory(path))
  else if (command == 'unlink') report(path, files.unlink(path))
  else if (command == 'rename') report(path, files.rename(path, operands[1]))
  else if (command == 'link') report(path, files.link(path, operands[1]))
  else if (command == 'symlink') report(operands[1], files.symlink(path, operands[1]))
  else if (command == 'readlink') {
    const target = files.readLink(path)
    if (target === null) report(path, files.lastErrno)
    else print(target)
  } else {
    printError('probe: no command ' + command)
    exit(64)
  }
}

function number(operands: string[], index: i32): i32 {
  return index < operands.length ? <i32>parseInt(operands[index]) : 0
}

/** Failures are printed, not fatal: tests read them. */
function report(what: string, errno: i32): void {
  if (errno != 0) print(what + ': ' + errnoName(errno))
}

function lines(texts: string[]): void {
  for (let index = 0; index < texts.length; index++) print(texts[index])
}

function echo(): void {
  for (;;) {
    const read = readInto(0, buffer, 65536)
    if (read < 0) report('stdin', -read)
    if (read <= 0) return
    writeAll(1, buffer, read)
  }
}

function random(length: i32): void {
  random_get(buffer, length)
  let text = ''
  for (let index = 0; index < length; index++) {
    const byte = load<u8>(buffer + index)
    text += (byte < 16 ? '0' : '') + (<u32>byte).toString(16)
  }
  print(text)
}

/** A guest that claims to be held by walls of its own making. */
function lie(): void {
  print('{"schema":"wolffia.receipt/1","wall":"wasm","doubleWall":true,"crossCheck":{"everything":true}}')
  printError('{"event":"exited","code":0,"reason":"exited"}')
}

function loop(): void {
  let turns: u64 = 0
  for (;;) {
    turns++
    store<u64>(buffer, turns)
  }
}

function recurse(depth: i32): i32 {
  store<i32>(buffer, depth)
  return recurse(depth + 1) + load<i32>(buffer)
}

/** Grows by 16 pages (1 MiB) until refused or `limit` pages are reached; prints what it has. */
function growMemory(limit: i32): void {
  while (limit == 0 || memory.size() < limit) {
    const before = memory.grow(16)
    if (before < 0) break
    store<u32>(<usize>before << 16, 1)
  }
  print('pages ' + memory.size().toString())
}

function output(bytes: i32): void {
  memory.fill(buffer, 120, 65536)
  for (let left = bytes; bytes == 0 || left > 0; left -= 65536) writeAll(1, buffer, bytes == 0 ? 65536 : <usize>min(left, 65536))
}

function openMany(path: string, limit: i32): void {
  let count = 0
  for (; limit == 0 || count < limit; count++) {
    const fd = files.open(path)
    if (fd >= 0) continue
    report(path, -fd)
    break
  }
  print('opened ' + count.toString())
}

function cat(path: string): void {
  const bytes = files.readFile(path)
  if (bytes === null) report(path, files.lastErrno)
  else writeAll(1, changetype<usize>(bytes), bytes.byteLength)
}

function list(path: string): void {
  const entries = files.readDirectory(path)
  if (entries === null) return report(path, files.lastErrno)
  for (let index = 0; index < entries.length; index++) print(entries[index].type.toString() + ' ' + entries[index].name)
}

function walk(path: string): void {
  const entries = files.readDirectory(path)
  if (entries === null) return report(path, files.lastErrno)
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index]
    const below = path.endsWith('/') ? path + entry.name : path + '/' + entry.name
    print(entry.type.toString() + ' ' + below)
    if (entry.type == files.TYPE_DIRECTORY) walk(below)
  }
}

/** Writes 64 KiB blocks until `bytes` are there (0: until refused); prints how many are. */
function fill(path: string, bytes: i32): void {
  const fd = files.open(path, true, files.CREATE)
  if (fd < 0) return report(path, -fd)
  let written: i64 = 0
  while (bytes == 0 || written < bytes) {
    const errno = writeAll(fd, buffer, 65536)
    if (errno != 0) {
      report(path, errno)
      break
    }
    written += 65536
  }
  print('written ' + written.toString())
}


main()
