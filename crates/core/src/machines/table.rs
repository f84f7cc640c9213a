//! Where the machines of one kind live: in slots, found by number or by the event that recorded them.

use std::collections::VecDeque;

use stead_activation::Seq;

/// The slot of a machine. Valid until the machine is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Index(u32);

/// The machines of one kind that are not finished.
///
/// Numbers and event ids only grow, so both indexes are sorted queues to which entries are appended; a finished machine
/// leaves them, so nothing here grows with the length of history. Of thousands it is mostly one of the first or the last.
#[derive(Debug)]
pub(super) struct Table<M> {
    slots: Vec<Slot<M>>,
    /// The first free slot, or the end of `slots`.
    free: u32,
    by_seq: VecDeque<(Seq, Index)>,
    by_event: VecDeque<(i64, Index)>,
    last_seq: Seq,
}

#[derive(Debug)]
enum Slot<M> {
    Used { seq: Seq, event_id: i64, machine: M },
    Free { next: u32 },
}

impl<M> Default for Table<M> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: 0, by_seq: VecDeque::new(), by_event: VecDeque::new(), last_seq: 0 }
    }
}

impl<M> Table<M> {
    /// Adds a machine. `None` if the number is or was taken.
    pub(super) fn insert(&mut self, seq: Seq, machine: M) -> Option<Index> {
        if seq <= self.last_seq {
            return None;
        }
        self.last_seq = seq;
        let index = Index(self.free);
        let slot = Slot::Used { seq, event_id: 0, machine };
        match self.slots.get_mut(self.free as usize) {
            Some(place) => {
                if let Slot::Free { next } = place {
                    self.free = *next;
                }
                *place = slot;
            }
            None => {
                if self.slots.len() < FEW {
                    self.slots.reserve_exact(1);
                }
                self.slots.push(slot);
                self.free += 1;
            }
        }
        push(&mut self.by_seq, (seq, index));
        Some(index)
    }

    /// Adds a machine under the next number.
    pub(super) fn append(&mut self, machine: M) -> Option<Index> {
        self.insert(self.last_seq.checked_add(1)?, machine)
    }

    /// The machine in a slot.
    pub(super) fn get(&self, index: Index) -> Option<&M> {
        match self.slots.get(index.0 as usize)? {
            Slot::Used { machine, .. } => Some(machine),
            Slot::Free { .. } => None,
        }
    }

    /// The machine in a slot, to be changed.
    pub(super) fn get_mut(&mut self, index: Index) -> Option<&mut M> {
        match self.slots.get_mut(index.0 as usize)? {
            Slot::Used { machine, .. } => Some(machine),
            Slot::Free { .. } => None,
        }
    }

    /// The number of the machine in a slot; zero if there is none.
    pub(super) fn seq(&self, index: Index) -> Seq {
        match self.slots.get(index.0 as usize) {
            Some(Slot::Used { seq, .. }) => *seq,
            _ => 0,
        }
    }

    /// The id of the event that recorded the machine in a slot; zero if none has yet.
    pub(super) fn event_id(&self, index: Index) -> i64 {
        match self.slots.get(index.0 as usize) {
            Some(Slot::Used { event_id, .. }) => *event_id,
            _ => 0,
        }
    }

    /// The machine with this number.
    pub(super) fn by_seq(&self, seq: Seq) -> Option<Index> {
        find(&self.by_seq, seq)
    }

    /// Whether a machine with this number is here or was.
    pub(super) const fn has_had(&self, seq: Seq) -> bool {
        seq <= self.last_seq
    }

    /// The machine that this event recorded.
    pub(super) fn by_event(&self, event_id: i64) -> Option<Index> {
        find(&self.by_event, event_id)
    }

    /// An event recorded the machine. Events come in the order of their ids.
    pub(super) fn record(&mut self, index: Index, id: i64) {
        if let Some(Slot::Used { event_id, .. }) = self.slots.get_mut(index.0 as usize) {
            *event_id = id;
            debug_assert!(self.by_event.back().is_none_or(|(last, _)| *last < id), "events are in order");
            push(&mut self.by_event, (id, index));
        }
    }

    /// Takes a finished machine out.
    pub(super) fn remove(&mut self, index: Index) -> Option<M> {
        let slot = self.slots.get_mut(index.0 as usize)?;
        if matches!(slot, Slot::Free { .. }) {
            return None;
        }
        let Slot::Used { seq, event_id, machine } = std::mem::replace(slot, Slot::Free { next: self.free }) else {
            return None;
        };
        self.free = index.0;
        forget(&mut self.by_seq, seq);
        forget(&mut self.by_event, event_id);
        Some(machine)
    }

    /// The machines, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Index, &M)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| match slot {
            Slot::Used { machine, .. } => Some((Index(index), machine)),
            Slot::Free { .. } => None,
        })
    }

    /// The machines, to be changed, in no order that means anything.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Index, &mut M)> {
        (0..).zip(&mut self.slots).filter_map(|(index, slot)| match slot {
            Slot::Used { machine, .. } => Some((Index(index), machine)),
            Slot::Free { .. } => None,
        })
    }
}

/// The first few elements take no more room than they need, because most runs wait for one or two things.
const FEW: usize = 4;

fn push<T>(queue: &mut VecDeque<T>, value: T) {
    if queue.len() < FEW {
        queue.reserve_exact(1);
    }
    queue.push_back(value);
}

fn find<K: Ord + Copy>(sorted: &VecDeque<(K, Index)>, key: K) -> Option<Index> {
    let place = sorted.binary_search_by_key(&key, |(key, _)| *key).ok()?;
    Some(sorted[place].1)
}

fn forget<K: Ord + Copy>(sorted: &mut VecDeque<(K, Index)>, key: K) {
    if let Ok(place) = sorted.binary_search_by_key(&key, |(key, _)| *key) {
        sorted.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_found_by_number_and_by_event() {
        let mut table = Table::default();
        let one = table.insert(1, "one").expect("the number is free");
        let two = table.insert(2, "two").expect("the number is free");
        table.record(one, 5);
        table.record(two, 6);
        assert_eq!(table.by_seq(2), Some(two));
        assert_eq!(table.by_event(5), Some(one));
        assert_eq!((table.seq(one), table.event_id(two)), (1, 6));
    }

    #[test]
    fn a_finished_machine_leaves_its_slot_to_the_next() {
        let mut table = Table::default();
        for seq in 1..1000 {
            let index = table.insert(seq, seq).expect("the number is free");
            table.record(index, i64::from(seq));
            assert_eq!(table.remove(index), Some(seq));
            assert_eq!(table.remove(index), None);
        }
        assert_eq!(table.slots.len(), 1);
        assert!(table.by_seq.is_empty() && table.by_event.is_empty());
    }

    #[test]
    fn a_number_is_given_once() {
        let mut table = Table::default();
        let index = table.insert(3, ()).expect("the number is free");
        assert_eq!(table.insert(3, ()), None);
        table.remove(index);
        assert_eq!(table.insert(3, ()), None);
        assert!(table.has_had(3) && !table.has_had(4));
        assert_eq!(table.by_seq(3), None);
    }
}
