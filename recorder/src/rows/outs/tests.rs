use super::*;

/// Rows of each batch.
#[derive(Default)]
struct Given(Vec<usize>);

impl RowSink for Given {
    fn rows(&mut self, batch: &mut Batch, _: &Names) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.push(batch.rows());
        Ok(())
    }
}

fn outs(first: u64, whole: u64) -> Outs {
    let of_table = |row| {
        let mut rows = vec![0; Table::EVERY.len()];
        rows[Table::Instruments as usize] = row;
        rows
    };
    let wanted = RowsWanted {
        first_rows: of_table(first),
        whole_rows: of_table(whole),
        ..RowsWanted::all(&[Table::Instruments])
    };
    Outs::new(wanted, &[])
}

fn add(outs: &mut Outs, count: u64) {
    for _ in 0..count {
        outs.row(Table::Instruments, Nanos::ZERO, None, |row, sequence, names| {
            row.u64(sequence)
                .i64(0)
                .u32(0)
                .name(0, &names.instruments)
                .i64(1)
                .u16(2)
                .u16(0)
                .bool(true)
                .i64(1);
        });
    }
}

#[test]
fn no_batch_ends_before_the_last_block_of_an_earlier_load_does() {
    // The server has rows 1 to 25, its last block began with row 11.
    let (mut outs, mut given) = (outs(11, 25), Given::default());
    for _ in 0..3 {
        add(&mut outs, 8);
        outs.give(&mut given, 1).unwrap();
        assert!(given.0.is_empty(), "the interval is over, but the block is not whole");
    }
    add(&mut outs, 4);
    outs.give(&mut given, 1).unwrap();
    add(&mut outs, 3);
    outs.give(&mut given, 1).unwrap();
    assert_eq!(given.0, [18, 3]);
}
