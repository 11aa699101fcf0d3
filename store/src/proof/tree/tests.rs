//! Against the vectors every RFC 6962 implementation is tested with, and against the RFC's own recursive definitions.

use super::*;

/// The eight leaves of the certificate-transparency test data.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Roots of the trees over the first 1, 2 … 8 of them.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

fn known(size: usize) -> Vec<Hash> {
    LEAVES[..size]
        .iter()
        .map(|leaf| leaf_hash(&bytes(leaf)))
        .collect()
}

fn made(size: u64) -> Vec<Hash> {
    (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn hashes(levels: &Levels, places: &[Place]) -> Vec<Hash> {
    places
        .iter()
        .map(|place| levels.node(*place).unwrap())
        .collect()
}

/// MTH of RFC 9162 2.1.1, word for word.
fn oracle_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node_hash(&oracle_root(&leaves[..k]), &oracle_root(&leaves[k..]))
        }
    }
}

/// PATH of RFC 9162 2.1.3.1, word for word.
fn oracle_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return vec![];
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    let (mut path, beside) = if m < k {
        (oracle_path(m, &leaves[..k]), oracle_root(&leaves[k..]))
    } else {
        (oracle_path(m - k, &leaves[k..]), oracle_root(&leaves[..k]))
    };
    path.push(beside);
    path
}

#[test]
fn roots_are_those_of_the_known_test_data() {
    assert_eq!(
        hex(&empty_root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut edge = Edge::default();
    for (size, root) in (1..).zip(ROOTS) {
        edge.push(leaf_hash(&bytes(LEAVES[size - 1])));
        assert_eq!(
            hex(&Levels::over(known(size)).root()),
            root,
            "{size} leaves"
        );
        assert_eq!(hex(&edge.root()), root, "{size} leaves one by one");
    }
}

#[test]
fn audit_paths_are_those_of_the_known_test_data() {
    let levels = Levels::over(known(8));
    let path = |leaf| -> Vec<String> {
        let places = inclusion_places(8, &BTreeSet::from([leaf]));
        hashes(&levels, &places).iter().map(hex).collect()
    };
    assert_eq!(
        path(0),
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
    assert_eq!(
        path(5),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn consistency_proofs_are_those_of_the_known_test_data() {
    let table: [(u64, u64, &[&str]); 3] = [
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (smaller, larger, expected) in table {
        let levels = Levels::over(known(larger as usize));
        let path = hashes(&levels, &consistency_places(smaller, larger));
        assert_eq!(
            path.iter().map(hex).collect::<Vec<_>>(),
            expected,
            "{smaller} in {larger}"
        );
    }
}

#[test]
fn roots_and_audit_paths_follow_the_recursive_definition_at_every_size() {
    for size in 0..140 {
        let leaves = made(size);
        let levels = Levels::over(leaves.clone());
        assert_eq!(levels.root(), oracle_root(&leaves), "{size} leaves");
        for leaf in (0..size).filter(|leaf| leaf % 7 == size % 7 || size < 20) {
            let places = inclusion_places(size, &BTreeSet::from([leaf]));
            let path = hashes(&levels, &places);
            assert_eq!(
                path,
                oracle_path(leaf as usize, &leaves),
                "leaf {leaf} of {size}"
            );
        }
    }
}

#[test]
fn a_proof_of_many_leaves_gives_the_root_and_has_no_node_too_many() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..60 {
        let size = 1 + next(1_500);
        let all = made(size);
        let levels = Levels::over(all.clone());
        let chosen: BTreeSet<u64> = (0..1 + next(40)).map(|_| next(size)).collect();
        let leaves: BTreeMap<u64, Hash> = chosen.iter().map(|i| (*i, all[*i as usize])).collect();
        let places = inclusion_places(size, &chosen);
        let mut nodes: BTreeMap<Place, Hash> = places
            .iter()
            .map(|place| (*place, levels.node(*place).unwrap()))
            .collect();
        assert_eq!(root_from(size, &leaves, &nodes), Ok(levels.root()));
        for place in &places {
            let hash = nodes.remove(place).unwrap();
            assert!(
                root_from(size, &leaves, &nodes).is_err(),
                "without {place:?}"
            );
            nodes.insert(*place, hash);
        }
        let extra = Place {
            level: 0,
            index: size + 1,
        };
        nodes.insert(extra, [0; 32]);
        assert!(
            root_from(size, &leaves, &nodes).is_err(),
            "with a node too many"
        );
        nodes.remove(&extra);
        let mut other = leaves.clone();
        *other.values_mut().next().unwrap() = leaf_hash(b"another event");
        assert_ne!(root_from(size, &other, &nodes), Ok(levels.root()));
    }
}

#[test]
fn a_tree_begins_with_each_of_its_earlier_selves_and_with_nothing_else() {
    for larger in 1..70 {
        let leaves = made(larger);
        let levels = Levels::over(leaves.clone());
        for smaller in 0..=larger {
            let before = oracle_root(&leaves[..smaller as usize]);
            let path = hashes(&levels, &consistency_places(smaller, larger));
            let (old, new) = ((smaller, before), (larger, levels.root()));
            assert!(consistent(old, new, &path), "{smaller} in {larger}");
            let other = leaf_hash(b"another root");
            // Every tree begins with nothing.
            if smaller > 0 {
                assert!(
                    !consistent(old, (larger, other), &path),
                    "{smaller} in {larger}"
                );
                assert!(
                    !consistent((smaller, other), new, &path),
                    "{smaller} in {larger}"
                );
            }
            for cut in 0..path.len() {
                assert!(!consistent(old, new, &path[..cut]), "{smaller} in {larger}");
                let mut bad = path.clone();
                bad[cut][31] ^= 1;
                assert!(
                    !consistent(old, new, &bad),
                    "{smaller} in {larger}, node {cut}"
                );
            }
        }
    }
}
