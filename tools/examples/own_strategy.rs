//! A strategy of your own, and the five lines that run it:
//! `cargo run --release -p spinward --example own_strategy -- run --config tools/examples/own_strategy.toml`

use serde::Deserialize;
use spinward::strategy::{BookView, Context, InstrumentId, OrderRequest, Qty, Side, Strategy, TimeInForce};

/// Its parameters, as they stand in `[strategy.parameters]`. Keys that are not here are refused by name.
#[derive(Deserialize)]
struct Parameters {
    /// Lots of each order.
    qty: i64,
    /// Buys below, sells above this many millionths of imbalance.
    threshold_ppm: i64,
}

/// Buys one lot size when the bids outweigh the offers, sells it again when they no longer do.
struct Leaner(Parameters);

impl Strategy for Leaner {
    fn on_book(&mut self, context: &mut Context<'_>, view: &BookView) {
        if !view.is_tradable() || context.in_flight() > 0 {
            return;
        }
        let leans = view.statistics.imbalance_n / 1_000 >= self.0.threshold_ppm;
        let position = context.position(view.instrument);
        if leans && position == Qty::ZERO {
            self.take(context, view.instrument, Side::Buy, view);
        } else if !leans && position > Qty::ZERO {
            self.take(context, view.instrument, Side::Sell, view);
        }
    }
}

impl Leaner {
    fn take(&self, context: &mut Context<'_>, instrument: InstrumentId, side: Side, view: &BookView) {
        let opposite = match side {
            Side::Buy => view.best_ask(),
            Side::Sell => view.best_bid(),
        };
        if let Some(level) = opposite {
            // A refusal (too many in flight, say) is no error: the next view comes soon.
            let _ = context.new_order(OrderRequest {
                instrument,
                side,
                price: level.price,
                qty: Qty::from_lots(self.0.qty),
                tif: TimeInForce::Ioc,
                post_only: false,
                reduce_only: side == Side::Sell,
            });
        }
    }
}

fn main() -> std::process::ExitCode {
    spinward::App::new()
        .strategy("leaner", |parameters: Parameters| Ok::<_, std::convert::Infallible>(Leaner(parameters)))
        .main()
}
