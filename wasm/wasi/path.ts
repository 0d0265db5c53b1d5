import { fd_prestat_dir_name, fd_prestat_get } from './preview1'

/** A path as the host wants it: a preopened directory and UTF-8 bytes relative to it. */
export class Location {
  fd: i32 = -1
  bytes: ArrayBuffer = new ArrayBuffer(0)

  get pointer(): usize {
    return changetype<usize>(this.bytes)
  }

  get length(): usize {
    return this.bytes.byteLength
  }
}

/** Names of the directories the host has given, by descriptor from 3. */
export function preopens(): string[] {
  const names: string[] = []
  const prestat = new StaticArray<u32>(2)
  for (let fd = 3; fd_prestat_get(fd, changetype<usize>(prestat)) == 0; fd++) {
    const name = new ArrayBuffer(prestat[1])
    fd_prestat_dir_name(fd, changetype<usize>(name), prestat[1])
    names.push(String.UTF8.decode(name))
  }
  return names
}

/** Finds the preopened directory that covers `path` best. Relative paths belong to `.` or, without one, to `/`. */
export function locate(path: string): Location {
  const names = preopens()
  const location = new Location()
  let best = -1
  for (let index = 0; index < names.length; index++) {
    const name = names[index]
    if (!covers(name, path) || name.length <= best) continue
    best = name.length
    location.fd = index + 3
  }
  let rest = path.startsWith('/') ? path.substring(best) : path
  while (rest.startsWith('/')) rest = rest.substring(1)
  location.bytes = String.UTF8.encode(rest.length > 0 ? rest : '.')
  return location
}

function covers(preopen: string, path: string): bool {
  if (!path.startsWith('/')) return preopen == '.' || preopen == '/'
  if (preopen == '/') return true
  return path == preopen || path.startsWith(preopen + '/')
}
