/// Cuts the duplicate-detection time into four slots of uptime.
///
/// An index over all ids ever seen is an index over random values: each insertion touches another page of it, and it
/// slows down as it grows. So ids are kept by era of arrival: an era belongs to one slot and is one of several there
/// when many ids come (`EraBook`). Insertions touch one small tree, look-ups those whose filter does not rule the id
/// out, and whole eras are dropped when their slot is over. Slots are counted in the spool's own uptime, so no jump of a
/// clock forgets or keeps anything (D-16).
struct DuplicateEras {
    static let count: Int64 = 4
    /// Milliseconds of uptime in one slot.
    let length: Int64

    /// - Parameter time: milliseconds for which an id must stay known.
    init(time: Int64) {
        length = max(1, (time + Self.count - 1) / Self.count)
    }

    func slot(at uptime: Int64) -> Int64 { uptime / length }

    /// The oldest slot whose ids still count. What arrived at `t` counts at least until `t + time`.
    func oldest(at uptime: Int64) -> Int64 { slot(at: uptime) - Self.count }
}
