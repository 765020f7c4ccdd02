import GodwitBatch
import GodwitProtocol

/// Adds up what a node says of the records of a batch, and shows it.
struct BatchExplanation {
    private(set) var records: [JSONObject] = []
    private let size: Int
    private var columns: [BatchColumn: FrameAccount.Bytes] = [:]

    init(_ batch: BatchFile) {
        size = batch.size
        for (column, count) in batch.frame { columns[column] = FrameAccount.Bytes(wire: count, raw: count) }
    }

    mutating func add(_ record: JSONObject) {
        let length = Varint.bytes(UInt64(record["bytes"]?.integer ?? 0)).count
        add(length, length, to: .recordLength)
        for (name, bytes) in record["columns"]?.object?.members ?? [] {
            guard let column = BatchColumn(rawValue: name), let bytes = bytes.object else { continue }
            add(Int(bytes["wire"]?.integer ?? 0), Int(bytes["raw"]?.integer ?? 0), to: column)
        }
        records.append(record)
    }

    private mutating func add(_ wire: Int, _ raw: Int, to column: BatchColumn) {
        let before = columns[column] ?? FrameAccount.Bytes(wire: 0, raw: 0)
        columns[column] = FrameAccount.Bytes(wire: before.wire + wire, raw: before.raw + raw)
    }

    /// All bytes that stand in a column.
    var total: Int { columns.values.reduce(0) { $0 + $1.wire } }

    private var items: [JSONObject] {
        records.flatMap { $0["items"]?.array ?? [] }.compactMap(\.object)
    }

    var object: JSONObject {
        var object: JSONObject = [:]
        for (column, bytes) in columns {
            object[column.rawValue] = ["wire": .integer(Int64(bytes.wire)), "raw": .integer(Int64(bytes.raw))]
        }
        return [
            "bytes": .integer(Int64(size)), "columns": .object(object),
            "messages": .integer(Int64(items.count { $0["kind"]?.string == "message" })),
            "items": .integer(Int64(items.count)), "records": .array(records.map { .object($0) }),
        ]
    }

    // MARK: Tables

    func show() {
        for (index, record) in records.enumerated() { show(record, place: index + 1) }
        showColumns()
    }

    private func show(_ record: JSONObject, place: Int) {
        let number = record["number"]?.integer ?? 0
        let name = number == 0 ? "loose frame" : "frame \(number)"
        Console.out(
            "Record \(place), \(name), \(record["from"]?.string ?? "") to \(record["to"]?.string ?? ""): "
                + "\(record["bytes"]?.integer ?? 0) B")
        if record["opened"]?.string == "no", number > 0 {
            Console.out("  made here and acknowledged since, or dissolved: only its receiver can open it")
        }
        if let block = record["block"]?.object {
            Console.out(
                "  columns: \(block["raw"]?.integer ?? 0) B, on the wire \(block["wire"]?.integer ?? 0) B")
        }
        let rows = (record["items"]?.array ?? []).compactMap(\.object)
        guard !rows.isEmpty else { return }
        let groups = BatchColumn.Group.allCases.filter { group in rows.contains { Self.wire($0, group) > 0 } }
        var table = rows.map { row in
            [row["item"]?.string ?? "", row["kind"]?.string ?? "", String(row["json_bytes"]?.integer ?? 0)]
                + [String(row["wire"]?.integer ?? 0)] + groups.map { String(Self.wire(row, $0)) }
        }
        let whole = record["bytes"]?.integer ?? 0
        let ofItems = rows.reduce(0) { $0 + ($1["wire"]?.integer ?? 0) }
        let blanks = groups.map { _ in "" }
        table.append(["shared by all", "", "", String(whole - ofItems)] + blanks)
        Console.table(["item", "kind", "json", "wire"] + groups.map(\.rawValue), table)
    }

    private static func wire(_ item: JSONObject, _ group: BatchColumn.Group) -> Int64 {
        (item["columns"]?.object?.members ?? []).reduce(0) { sum, member in
            guard BatchColumn(rawValue: member.key)?.group == group else { return sum }
            return sum + (member.value.object?["wire"]?.integer ?? 0)
        }
    }

    private func showColumns() {
        let messages = items.count
        func each(_ bytes: Int) -> String {
            guard messages > 0 else { return "" }
            let tenths = (bytes * 10 + messages / 2) / messages
            return "\(tenths / 10).\(tenths % 10)"
        }
        var rows = BatchColumn.allCases.compactMap { column -> [String]? in
            guard let bytes = columns[column] else { return nil }
            return [column.rawValue, String(bytes.wire), String(bytes.raw), each(bytes.wire)]
        }
        rows.append(["all", String(total), String(columns.values.reduce(0) { $0 + $1.raw }), each(total)])
        Console.out("")
        Console.table(["column", "wire", "raw", "per item"], rows)
    }
}
