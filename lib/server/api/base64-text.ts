/** Forms in which clients write base64, beside the bare one. */

/** A data: URL, also with parameters such as a name. */
export const DATA_URI = /^data:[^,]{0,200};base64,/i

/** `base64 FILE` and Python's encodebytes break lines. */
export const LINE_BREAKS = /[\r\n]+/g
