import FoundationEssentials
import GodwitLink
import GodwitProtocol
import Yams

/// Reads network profiles from `*.yaml` files; the name of a profile is in the file.
enum ProfileFiles {
    /// All profiles of a directory by name; empty if there is no such directory.
    /// - Throws: `ProtocolError` 2000 naming file and key.
    static func load(from directory: String) throws -> [String: Profile] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else { return [:] }
        var profiles: [String: Profile] = [:]
        for name in names.sorted() where name.hasSuffix(".yaml") {
            let profile = try read(directory + "/" + name)
            profiles[profile.name] = profile
        }
        return profiles
    }

    static func read(_ path: String) throws -> Profile {
        do {
            return try Profile(YAMLValue.json(String(decoding: Wiring.read(path, max: 65_536), as: UTF8.self)))
        } catch var error as ProtocolError {
            error.details["file"] = .string(path)
            error.message = "\(path): \(error.message)"
            throw error
        }
    }
}

/// YAML as JSON values.
enum YAMLValue {
    /// - Throws: `ProtocolError` 2000.
    static func json(_ text: String) throws -> JSONValue {
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw ProtocolError.malformed("The YAML cannot be read.", hint: "\(error)")
        }
        guard let node else { return .object([:]) }
        return try json(node, depth: 0)
    }

    private static func json(_ node: Node, depth: Int) throws -> JSONValue {
        guard depth < 16 else { throw ProtocolError.malformed("The YAML is nested too deeply.") }
        switch node {
        case .scalar(let scalar):
            if scalar.style == .plain {
                if let integer = Int64(scalar.string) { return .integer(integer) }
                if let number = Double(scalar.string), number.isFinite { return .double(number) }
                if let flag = Bool(scalar.string) { return .bool(flag) }
                if ["", "~", "null"].contains(scalar.string) { return .null }
            }
            return .string(scalar.string)
        case .sequence(let sequence): return .array(try sequence.map { try json($0, depth: depth + 1) })
        case .mapping(let mapping):
            var object = JSONObject()
            for (key, value) in mapping {
                guard let name = key.string, object[name] == nil else {
                    throw ProtocolError.malformed("A key of the YAML is no string, or stands twice.")
                }
                object[name] = try json(value, depth: depth + 1)
            }
            return .object(object)
        case .alias: throw ProtocolError.malformed("Aliases are not read.")
        }
    }
}
