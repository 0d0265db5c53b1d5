import type { VolumeSummary } from '../engine/volumes.js'

/** A volume in the words of `GET /volumes/{name}`. */
export function inspectVolume({ name, driver, mountpoint, labels, createdAt }: VolumeSummary): object {
  return {
    CreatedAt: createdAt?.toISOString().replace(/\.\d+Z$/, 'Z') ?? '0001-01-01T00:00:00Z',
    Driver: driver,
    Labels: Object.keys(labels).length === 0 ? null : labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: null,
    Scope: 'local',
  }
}
