import type { ByteString, ReadonlyFileSystem } from '../fs/file-system.js'
import type { IdMap } from '../launcher/id-map.js'
import { listUpper } from '../rootfs/capture.js'
import { OPAQUE_XATTR } from '../rootfs/upper-layer.js'
import { type TouchedPath, type WritableLayer, withoutPlaces, writableLayer } from '../runtime/writable-layer.js'
import { MOUNT_POINTS } from './kept-upper.js'

/** What an upper directory of the kernel's overlay makes of the layers below it. It may be written to meanwhile. */
export async function upperChanges(idMap: IdMap, directory: string, before: ReadonlyFileSystem): Promise<WritableLayer> {
  const touched = new Map<ByteString, TouchedPath | null>()
  let current: ByteString = ''
  for await (const record of listUpper(idMap, directory)) {
    if (record.record === 'entry') {
      const { path, kind, mode, uid, gid, size = 0, device } = record.entry
      current = path
      const isWhiteout = kind === 'character-device' && device?.major === 0 && device.minor === 0
      const isDirectory = kind === 'directory'
      // With one id every file is root's, whatever it was in the image.
      const owner = idMap.kind === 'single' ? null : { uid, gid }
      touched.set(path, isWhiteout ? null : { isDirectory, isOpaque: false, mode, owner, bytes: kind === 'file' ? size : 0 })
    } else if (record.record === 'xattr' && record.name === OPAQUE_XATTR && record.value[0] === 0x79) {
      const now = touched.get(current)
      if (now) touched.set(current, { ...now, isOpaque: true })
    }
  }
  return writableLayer(before, withoutPlaces(before, touched, MOUNT_POINTS))
}
