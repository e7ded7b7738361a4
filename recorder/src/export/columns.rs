//! Columns as the arrow project knows them: schema and arrays for Parquet and Arrow files.

use crate::rows::{Batch, Cells, Column, Kind, Names, Table};
use arrow_array::builder::BooleanBuilder;
use arrow_array::types::{Int32Type, UInt8Type};
use arrow_array::{
    ArrayRef, DictionaryArray, Int64Array, ListArray, PrimitiveArray, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

/// How words are held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// As places in a dictionary: what the Parquet writer takes fastest. In the file they are strings.
    Dictionary,
    /// As strings: an Arrow file may not change a dictionary half way.
    Plain,
}

fn data_type(kind: Kind, words: Words) -> DataType {
    match kind {
        Kind::U64 => DataType::UInt64,
        Kind::U32 => DataType::UInt32,
        Kind::U16 => DataType::UInt16,
        Kind::I64 | Kind::Price | Kind::Qty | Kind::Money => DataType::Int64,
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Kind::Bool => DataType::Boolean,
        Kind::Text => DataType::Utf8,
        Kind::Name(_) | Kind::Code(_) if words == Words::Plain => DataType::Utf8,
        Kind::Name(_) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Kind::Code(_) => DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8)),
        Kind::Levels => DataType::List(Arc::new(level_field())),
    }
}

fn level_field() -> Field {
    Field::new_list_field(DataType::Int64, false)
}

fn field(column: &Column, words: Words) -> Field {
    let field = Field::new(column.name, data_type(column.kind, words), false);
    if column.unit.is_empty() {
        return field;
    }
    field.with_metadata(HashMap::from([("unit".to_owned(), column.unit.to_owned())]))
}

/// The schema of a table; units stand in the fields' metadata.
pub(super) fn schema(table: Table, words: Words) -> Arc<Schema> {
    Arc::new(Schema::new(table.columns().iter().map(|column| field(column, words)).collect::<Vec<_>>()))
}

/// A batch as arrays.
pub(super) fn arrays(
    schema: &Arc<Schema>,
    batch: &Batch,
    names: &Names,
    words: Words,
) -> Result<RecordBatch, ArrowError> {
    let columns = batch.table().columns().iter().zip(batch.cells());
    let arrays =
        columns.map(|(column, cells)| array(column, cells, names, words)).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), arrays)
}

fn array(column: &Column, cells: &Cells, names: &Names, words: Words) -> Result<ArrayRef, ArrowError> {
    Ok(match cells {
        Cells::U64(cells) => Arc::new(UInt64Array::new(ScalarBuffer::from(cells.clone()), None)),
        Cells::U32(cells) => Arc::new(UInt32Array::new(ScalarBuffer::from(cells.clone()), None)),
        Cells::U16(cells) => Arc::new(UInt16Array::new(ScalarBuffer::from(cells.clone()), None)),
        Cells::I64(cells) if column.kind == Kind::Time => Arc::new(
            TimestampNanosecondArray::new(ScalarBuffer::from(cells.clone()), None).with_timezone("UTC"),
        ),
        Cells::I64(cells) => Arc::new(Int64Array::new(ScalarBuffer::from(cells.clone()), None)),
        Cells::Bool(cells) => {
            let mut builder = BooleanBuilder::with_capacity(cells.len());
            for cell in cells {
                builder.append_value(*cell != 0);
            }
            Arc::new(builder.finish())
        }
        Cells::Name(cells) => {
            let set = if let Kind::Name(set) = column.kind { names.of(set) } else { &[] };
            match words {
                Words::Plain => Arc::new(StringArray::from_iter_values(
                    cells.iter().map(|place| set.get(*place as usize).map_or("", String::as_str)),
                )),
                Words::Dictionary => {
                    // There are at most as many names as instruments.
                    let keys = PrimitiveArray::<Int32Type>::from_iter_values(cells.iter().map(|p| *p as i32));
                    Arc::new(DictionaryArray::try_new(keys, Arc::new(StringArray::from_iter_values(set)))?)
                }
            }
        }
        Cells::Code(cells) => {
            let set: &[&str] = if let Kind::Code(set) = column.kind { set } else { &[] };
            match words {
                Words::Plain => Arc::new(StringArray::from_iter_values(
                    cells.iter().map(|place| set.get(usize::from(*place)).copied().unwrap_or("")),
                )),
                Words::Dictionary => {
                    let keys: PrimitiveArray<UInt8Type> =
                        UInt8Array::new(ScalarBuffer::from(cells.clone()), None);
                    Arc::new(DictionaryArray::try_new(keys, Arc::new(StringArray::from_iter_values(set)))?)
                }
            }
        }
        Cells::Text(cells) => Arc::new(StringArray::from_iter_values(cells)),
        Cells::Levels { ends, values } => {
            // A batch has far less than 2^31 values.
            let offsets: Vec<i32> = std::iter::once(0).chain(ends.iter().map(|end| *end as i32)).collect();
            let values = Int64Array::new(ScalarBuffer::from(values.clone()), None);
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            Arc::new(ListArray::try_new(Arc::new(level_field()), offsets, Arc::new(values), None)?)
        }
    })
}

/// How each column lies in a Parquet file.
pub(super) fn parquet_properties(table: Table) -> parquet::file::properties::WriterProperties {
    use parquet::basic::{Compression, Encoding, ZstdLevel};
    use parquet::file::properties::{EnabledStatistics, WriterProperties};
    use parquet::schema::types::ColumnPath;
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(1 << 20))
        .set_created_by("spinward".to_owned());
    for column in table.columns() {
        let path = ColumnPath::from(column.name);
        builder = match column.kind {
            Kind::Name(_) | Kind::Code(_) => builder.set_column_dictionary_enabled(path, true),
            Kind::U64 | Kind::U32 | Kind::Time | Kind::Price | Kind::Qty | Kind::Money | Kind::I64 => {
                builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
            }
            Kind::U16 | Kind::Bool | Kind::Text | Kind::Levels => builder,
        };
    }
    builder.build()
}

/// A Parquet writer for a part.
pub(super) fn parquet_writer<W: Write + Send>(
    to: W,
    table: Table,
    schema: &Arc<Schema>,
) -> Result<parquet::arrow::ArrowWriter<W>, parquet::errors::ParquetError> {
    use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
    // Without the arrow schema in the file readers see plain strings.
    let options =
        ArrowWriterOptions::new().with_properties(parquet_properties(table)).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(to, Arc::clone(schema), options)
}
