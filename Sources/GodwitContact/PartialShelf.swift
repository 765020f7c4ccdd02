import Synchronization

/// Where all that take frames for one party keep the beginnings of those whose exchanges broke.
public final class PartialShelf: Sendable {
    let records = Mutex(PartialRecords())

    public init() {}
}
