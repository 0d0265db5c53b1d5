import { join } from 'node:path'
import type { Holder } from '../launcher/holder.js'
import type { IdMapChoice } from '../launcher/id-map.js'

/** The holder of the store in a home, which may or may not live. */
export async function storeHolder(home: string): Promise<Holder> {
  const { Holder } = await import('../launcher/holder.js')
  return new Holder(join(home, 'holder'))
}

/** The widest id map of this user, given by the store's holder while it lives. */
export async function storeIdMap(home: string): Promise<IdMapChoice> {
  const [{ chooseIdMap }, holder] = await Promise.all([import('../launcher/id-map.js'), storeHolder(home)])
  return chooseIdMap(holder)
}
