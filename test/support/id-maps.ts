import { chooseIdMap, singleIdMap } from '../../src/launcher/id-map.js'
import { ID_RANGE } from './requirements.js'

/** The id maps that a native container may have; what holds under one has to hold under the other. */
export const ID_MAPS = [
  { name: 'a single id', map: singleIdMap, needs: [] },
  { name: 'an id range', map: () => chooseIdMap().map, needs: [ID_RANGE] },
] as const
